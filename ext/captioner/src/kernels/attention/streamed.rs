//! Softmax attention over many keys, a tile of queries at a time: no matrix of all queries by all keys ever exists.
//!
//! - `streamed/floats.rs`: in `f32`, on every processor
//! - `streamed/bf16.rs`: in bf16 with AVX512-BF16, key by key (FlashAttention, arXiv 2205.14135)
//!
//! ```text
//! keys, values of a head  -> Keys::pack, once -------+
//!                                                    +--> Keys::attend, by any thread, for its queries
//! queries, 64 (bf16) or 24 (f32) at a time  ---------+
//! ```

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod bf16;
mod floats;

use std::ops::Range;

pub(super) use floats::QUERIES;

use crate::kernels::{Arithmetic, Isa};

/// One head's queries, keys and values: how many there are and where they lie.
#[derive(Debug, Clone, Copy)]
pub struct Streamed {
    /// Rows of `q` and of the output.
    pub queries: usize,
    /// Rows of `k` and `v`.
    pub keys: usize,
    /// Channels of the head.
    pub dim: usize,
    /// Floats from one row of `q` to the next.
    pub q_stride: usize,
    /// The same of `k` and `v`.
    pub kv_stride: usize,
    /// The same of the output; nothing between its rows is touched.
    pub out_stride: usize,
}

/// Which keys a query sees. Query `i` is at position `keys - queries + i`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// All of them.
    None,
    /// Those up to its own position; those before `prefix` see each other, whatever comes first.
    Causal {
        /// Positions that see each other, from the first on.
        prefix: usize,
    },
}

impl Mask {
    /// How many keys the query at `position` sees.
    fn end(self, position: usize, keys: usize) -> usize {
        match self {
            Self::None => keys,
            Self::Causal { prefix } if position < prefix => prefix.min(keys),
            Self::Causal { .. } => position + 1,
        }
    }
}

/// One head's keys and values, laid out once for all its queries.
pub struct Keys<'a> {
    shape: Streamed,
    packed: Packed<'a>,
}

enum Packed<'a> {
    Floats(floats::Packed<'a>),
    #[cfg(target_arch = "x86_64")]
    Bf16(bf16::Packed),
}

impl<'a> Keys<'a> {
    /// Lays out rows of `k` and `v`, which start at the head's first channel. Any `arithmetic` but [`Arithmetic::F32`] rounds to
    /// bf16 where the processor multiplies it; sums and the softmax are `f32` always.
    ///
    /// # Panics
    /// If `k` or `v` is shorter than `shape` says, or with more queries than keys under a mask.
    pub fn pack(k: &'a [f32], v: &'a [f32], shape: Streamed, arithmetic: Arithmetic) -> Self {
        let needed = (shape.keys.max(1) - 1) * shape.kv_stride + shape.dim;
        assert!(shape.keys > 0 && k.len() >= needed && v.len() >= needed, "attention: keys do not fit the shape");
        let packed = match (arithmetic, Isa::current()) {
            #[cfg(target_arch = "x86_64")]
            (Arithmetic::Bf16 | Arithmetic::Int8, isa @ Isa::Avx512Bf16) => {
                Packed::Bf16(bf16::Packed::new(isa, k, v, shape))
            }
            _ => Packed::Floats(floats::Packed::new(k, v, shape)),
        };
        Self { shape, packed }
    }

    /// `out = softmax(scale * q·kᵀ, as far as the mask lets see)·v` for queries `rows` of the shape, on the calling thread. `q` and
    /// `out` begin with the first of them. Few long runs of rows are better than many short ones.
    ///
    /// # Panics
    /// If `q` or `out` is shorter than that, or `rows` leaves the shape.
    pub fn attend(&self, q: &[f32], rows: Range<usize>, mask: Mask, scale: f32, out: &mut [f32]) {
        let Streamed { queries, keys, dim, q_stride, out_stride, .. } = self.shape;
        if rows.is_empty() {
            return;
        }
        let last = rows.len() - 1;
        assert!(rows.end <= queries && q.len() >= last * q_stride + dim, "attention: queries do not fit the shape");
        assert!(out.len() >= last * out_stride + dim, "attention: no room for the output");
        assert!(mask == Mask::None || queries <= keys, "attention: more queries than positions");
        let end = |row: usize| mask.end((keys + row).saturating_sub(queries), keys);
        match &self.packed {
            Packed::Floats(packed) => packed.attend(q, rows, end, scale, out),
            #[cfg(target_arch = "x86_64")]
            Packed::Bf16(packed) => packed.attend(q, rows, end, scale, out),
        }
    }
}

/// One head on the calling thread: see [`Keys::pack`] and [`Keys::attend`], whose slices begin with the first row.
///
/// # Panics
/// See there.
#[allow(clippy::too_many_arguments)]
pub fn attend_streamed(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    shape: Streamed,
    mask: Mask,
    scale: f32,
    arithmetic: Arithmetic,
    out: &mut [f32],
) {
    Keys::pack(k, v, shape, arithmetic).attend(q, 0..shape.queries, mask, scale, out);
}

#[cfg(test)]
mod tests;

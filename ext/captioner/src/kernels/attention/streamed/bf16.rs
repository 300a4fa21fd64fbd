//! In bf16. A score's sixteen lanes are queries, so that a query's maximum and sum never cross lanes; keys and values are
//! what is broadcast, two channels or two keys to a word:
//!
//! ```text
//! keys     [keys, dim / 2]                      channels 2 i, 2 i + 1
//! values   [tiles, dim + 1, PAIRS]              keys 2 j, 2 j + 1 of one channel; the last "channel" is ones: it sums the weights
//! queries  [dim / 2, 64 queries]                a line of the cache is a word of sixteen queries
//! weights  [PAIRS, 64 queries]                  2^(score - reference) of keys 2 j, 2 j + 1
//! ```
//!
//! A weight is cut, not rounded, to bf16: as the same weights are summed, what they lose on average divides out.

use std::cell::Cell;
use std::ops::Range;

use super::avx512::{self, Tile, PAIRS};
use crate::kernels::attention::Streamed;
use crate::kernels::panels::bf16::round_row;
use crate::kernels::panels::{interleave, Line, LINES, WIDTH};
use crate::kernels::product::transpose;
use crate::kernels::Isa;

/// Two ones.
const ONES: u32 = 0x3F80_3F80;

/// One head's keys and values.
pub struct Packed {
    isa: Isa,
    shape: Streamed,
    keys: Vec<u32>,
    values: Vec<u32>,
}

impl Packed {
    pub fn new(isa: Isa, k: &[f32], v: &[f32], shape: Streamed) -> Self {
        let Streamed { keys: count, dim, kv_stride, .. } = shape;
        let words = dim.div_ceil(2);
        let mut keys = vec![0; count * words];
        for (row, words) in k.chunks(kv_stride).zip(keys.chunks_exact_mut(words)) {
            round_row(&row[..dim], words);
        }
        let (tiles, tile) = (count.div_ceil(2 * PAIRS), (dim + 1) * PAIRS);
        let mut values = vec![0; tiles * tile];
        let (mut rounded, mut pairs) = (vec![0; 2 * words], vec![0u32; PAIRS * dim]);
        for (index, out) in values.chunks_exact_mut(tile).enumerate() {
            let first = 2 * PAIRS * index;
            let here = (count - first).min(2 * PAIRS);
            for (pair, out) in pairs.chunks_exact_mut(dim).enumerate().take(here.div_ceil(2)) {
                let row = |i: usize| &v[(first + 2 * pair + i) * kv_stride..][..dim];
                let (even, odd) = rounded.split_at_mut(words);
                round_row(row(0), even);
                match 2 * pair + 1 < here {
                    true => round_row(row(1), odd),
                    false => odd.fill(0),
                }
                for ((out, even), odd) in out.chunks_mut(2).zip(even).zip(odd) {
                    out[0] = *even & 0xFFFF | *odd << 16;
                    if let Some(out) = out.get_mut(1) {
                        *out = *even >> 16 | *odd & 0xFFFF_0000;
                    }
                }
            }
            // SAFETY: u32 and f32 have the same size and alignment, any bits will do, and they are moved, not computed with.
            let (from, to) = unsafe {
                let (from, to) = (pairs.as_ptr().cast(), out.as_mut_ptr().cast());
                (std::slice::from_raw_parts(from, pairs.len()), std::slice::from_raw_parts_mut(to, out.len()))
            };
            transpose(from, dim, (here.div_ceil(2), dim), to, PAIRS);
            let ones = &mut out[dim * PAIRS..];
            ones[..here / 2].fill(ONES);
            if here % 2 == 1 {
                ones[here / 2] = ONES & 0xFFFF;
            }
        }
        Self { isa, shape, keys, values }
    }

    /// `end` is how many keys a row sees.
    pub fn attend(&self, q: &[f32], rows: Range<usize>, end: impl Fn(usize) -> usize, scale: f32, out: &mut [f32]) {
        let Streamed { dim, q_stride, out_stride, .. } = self.shape;
        let words = dim.div_ceil(2);
        let tile = tile(rows.len());
        let mut room = ROOM.take().fit(dim);
        for first in rows.clone().step_by(tile) {
            let count = tile.min(rows.end - first);
            room.turn_queries(self.isa, &q[(first - rows.start) * q_stride..], q_stride, (count, dim), scale);
            // Lanes without a query see what the last query sees.
            let ends = std::array::from_fn(|lane| end(first + lane.min(count - 1)) as i32);
            let parts =
                Tile { keys: &self.keys, words, values: &self.values, dim, queries: &room.queries, ends: &ends };
            // SAFETY: this is only made where the processor has AVX512-BF16; the parts are as the tile needs them.
            unsafe { avx512::attend(parts, count.div_ceil(16), &mut room.weights, &mut room.mixed) };
            room.write(count, dim, &mut out[(first - rows.start) * out_stride..], out_stride);
        }
        ROOM.set(room);
    }
}

/// Queries of a tile, whole lines of them: as few tiles as there can be, and about as many in each.
fn tile(queries: usize) -> usize {
    queries.div_ceil(queries.div_ceil(WIDTH)).next_multiple_of(16)
}

thread_local! {
    /// Kept, as there are thousands of windows in an image.
    static ROOM: Cell<Room> = Cell::default();
}

/// Working memory of a tile of queries.
#[derive(Default)]
struct Room {
    /// A scaled row.
    scaled: Vec<f32>,
    /// Sixteen rows.
    rounded: Vec<u32>,
    queries: Vec<Line>,
    weights: Vec<Line>,
    /// `[dim + 1, 64 queries]`: weighted sums of the values, and of ones.
    mixed: Vec<[f32; WIDTH]>,
}

impl Room {
    /// For heads of `dim` channels. Nothing of what is in it is read before it is written.
    fn fit(mut self, dim: usize) -> Self {
        let words = dim.div_ceil(2);
        self.scaled.resize(dim, 0.0);
        self.rounded.resize(16 * words, 0);
        self.queries.resize(words * LINES, Line([0; 16]));
        self.weights.resize(PAIRS * LINES, Line([0; 16]));
        self.mixed.resize(dim + 1, [0.0; WIDTH]);
        self
    }

    /// Scores are wanted as powers of two, so queries are scaled by that too.
    fn turn_queries(&mut self, isa: Isa, q: &[f32], stride: usize, (count, dim): (usize, usize), scale: f32) {
        let words = dim.div_ceil(2);
        for quarter in 0..count.div_ceil(16) {
            for (i, rounded) in self.rounded.chunks_exact_mut(words).enumerate() {
                let row = 16 * quarter + i;
                if row < count {
                    let values = self.scaled.iter_mut().zip(&q[row * stride..]);
                    values.for_each(|(scaled, value)| *scaled = value * (scale * std::f32::consts::LOG2_E));
                    round_row(&self.scaled, rounded);
                } else {
                    rounded.fill(0);
                }
            }
            interleave::interleave(isa, &self.rounded, words, quarter, &mut self.queries);
        }
    }

    /// Divides by the sums of the weights and turns the tile back into rows.
    fn write(&mut self, count: usize, dim: usize, out: &mut [f32], stride: usize) {
        let (sums, mixed) = self.mixed.split_last_mut().expect("there is a row of sums");
        let inverse = sums.map(|sum| 1.0 / sum);
        for row in mixed.iter_mut() {
            row.iter_mut().zip(&inverse).for_each(|(value, inverse)| *value *= inverse);
        }
        transpose(mixed.as_flattened(), WIDTH, (dim, count), out, stride);
    }
}

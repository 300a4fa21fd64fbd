//! Attention over many keys, a tile of keys at a time: the softmax is kept up to date as tiles pass (arXiv 2205.14135), so
//! that no more scores exist than those of some queries and one tile.

use super::full::QUERIES;
use crate::kernels::elementwise::{exp_row, max, scale_row};
use crate::kernels::product::{product, transpose, Left, Out, Right, Start};
use crate::kernels::{Arithmetic, Scratch};

/// Keys of a tile: their turned copy and the scores of some queries stay in the second-level cache.
const KEYS: usize = 256;

/// The rows of one head.
#[derive(Debug, Clone, Copy)]
pub struct Streamed {
    /// Rows of `q` and `out`.
    pub queries: usize,
    /// Rows of `k` and `v`.
    pub keys: usize,
    /// Channels of the head.
    pub dim: usize,
    /// Floats from one row of `q` to the next.
    pub q_stride: usize,
    /// Floats from one row of `k`, and of `v`, to the next.
    pub kv_stride: usize,
    /// Floats from one row of `out` to the next.
    pub out_stride: usize,
}

/// Which keys a query sees. Query `i` stands at position `keys - queries + i`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// All of them.
    None,
    /// Those up to its own position, and in any case the first `prefix`.
    Causal { prefix: usize },
}

impl Mask {
    /// How many keys, counted from the first, the query at `position` sees.
    pub fn visible(self, position: usize, keys: usize) -> usize {
        match self {
            Mask::None => keys,
            Mask::Causal { prefix } => (position + 1).max(prefix).min(keys),
        }
    }
}

/// `out = softmax(scale * q·kᵀ)·v` for one head, `q`, `k`, `v` and `out` beginning at the head's first channel. Products may be
/// computed in `arithmetic`. Runs on the calling thread.
///
/// # Panics
/// If a slice is shorter than `shape` says, or there are more queries than keys under a causal mask.
#[allow(clippy::too_many_arguments)]
pub fn attend_streamed(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    shape: Streamed,
    mask: Mask,
    scale: f32,
    _arithmetic: Arithmetic,
    out: &mut [f32],
) {
    let Streamed { queries, keys, dim, q_stride, kv_stride, out_stride } = shape;
    if queries == 0 {
        return;
    }
    assert!(mask == Mask::None || queries <= keys, "attention: more queries than positions");
    assert!(out.len() >= (queries - 1) * out_stride + dim, "attention: output");
    let visible = |query: usize| mask.visible((keys + query).saturating_sub(queries), keys);
    let (mut tops, mut sums) = (Scratch::take(queries), Scratch::zeros(queries));
    tops.fill(f32::NEG_INFINITY);
    out.chunks_mut(out_stride).take(queries).for_each(|row| row[..dim].fill(0.0));
    let mut turned = Scratch::take(dim * KEYS.min(keys));
    let mut scores = Scratch::take(QUERIES * KEYS.min(keys));
    for first in (0..visible(queries - 1)).step_by(KEYS) {
        let tile = KEYS.min(keys - first);
        transpose(&k[first * kv_stride..], kv_stride, (tile, dim), &mut turned, tile);
        for block in (0..queries).step_by(QUERIES) {
            let rows = block..queries.min(block + QUERIES);
            // Later queries see no fewer keys.
            let seen = visible(rows.end - 1).saturating_sub(first).min(tile);
            if seen == 0 {
                continue;
            }
            let scores = &mut scores[..rows.len() * seen];
            product(
                (rows.len(), seen, dim),
                Left { values: &q[block * q_stride..], row: q_stride, step: 1 },
                Right { values: &turned, row: tile },
                Start::default(),
                Out { values: scores, row: seen },
            );
            for (query, scores) in rows.clone().zip(scores.chunks_exact_mut(seen)) {
                let (own, hidden) = scores.split_at_mut(visible(query).saturating_sub(first).min(seen));
                hidden.fill(0.0);
                if own.is_empty() {
                    continue;
                }
                let top = max(own) * scale;
                let sum = exp_row(own, scale);
                // What is larger shrinks the other: the sums so far, or the tile's.
                if top > tops[query] {
                    let shrink = (tops[query] - top).exp();
                    scale_row(&mut out[query * out_stride..][..dim], shrink);
                    sums[query] = sums[query] * shrink + sum;
                    tops[query] = top;
                } else {
                    let shrink = (top - tops[query]).exp();
                    scale_row(own, shrink);
                    sums[query] += sum * shrink;
                }
            }
            product(
                (rows.len(), dim, seen),
                Left { values: scores, row: seen, step: 1 },
                Right { values: &v[first * kv_stride..], row: kv_stride },
                Start { out: true, ..Start::default() },
                Out { values: &mut out[block * out_stride..], row: out_stride },
            );
        }
    }
    for (row, sum) in out.chunks_mut(out_stride).take(queries).zip(sums.iter()) {
        scale_row(&mut row[..dim], 1.0 / sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::values;

    /// The definition, in `f64`.
    fn naive(q: &[f32], k: &[f32], v: &[f32], shape: Streamed, mask: Mask, scale: f32) -> Vec<f64> {
        let mut out = Vec::new();
        for i in 0..shape.queries {
            let position = shape.keys - shape.queries + i;
            let sees = |j: usize| match mask {
                Mask::None => true,
                Mask::Causal { prefix } => j <= position || j < prefix,
            };
            let weights: Vec<f64> = (0..shape.keys)
                .map(|j| {
                    let (q, k) = (&q[i * shape.q_stride..][..shape.dim], &k[j * shape.kv_stride..][..shape.dim]);
                    let score: f64 = q.iter().zip(k).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
                    if sees(j) {
                        (score * f64::from(scale)).exp()
                    } else {
                        0.0
                    }
                })
                .collect();
            let sum: f64 = weights.iter().sum();
            for c in 0..shape.dim {
                let mixed = weights.iter().enumerate().map(|(j, w)| w * f64::from(v[j * shape.kv_stride + c]));
                out.push(mixed.sum::<f64>() / sum);
            }
        }
        out
    }

    #[test]
    fn equals_the_definition_over_odd_shapes_and_masks() {
        for (queries, keys, dim) in [(1, 1, 64), (1, 300, 64), (37, 37, 72), (70, 600, 8), (530, 530, 32), (25, 513, 5)]
        {
            let shape = Streamed { queries, keys, dim, q_stride: dim + 3, kv_stride: 2 * dim, out_stride: dim + 1 };
            // Scores of up to 30 either way, so that the largest moves from tile to tile.
            let (q, kv) = (values(queries * shape.q_stride, 1), values(keys * shape.kv_stride, 2));
            let scale = 30.0 / dim as f32;
            let prefixes = [0, 1, keys / 2, keys].map(|prefix| Mask::Causal { prefix });
            for mask in prefixes.into_iter().chain([Mask::None]) {
                let mut out = vec![7.0; (queries - 1) * shape.out_stride + dim];
                attend_streamed(&q, &kv, &kv[dim..], shape, mask, scale, Arithmetic::F32, &mut out);
                let expected = naive(&q, &kv, &kv[dim..], shape, mask, scale);
                for (i, row) in out.chunks(shape.out_stride).enumerate() {
                    for (c, out) in row[..dim].iter().enumerate() {
                        let error = (f64::from(*out) - expected[i * dim + c]).abs();
                        assert!(error < 1e-5, "{queries}x{keys}x{dim} {mask:?} at {i}, {c}: {error}");
                    }
                    assert!(row[dim..].iter().all(|v| *v == 7.0), "wrote between the rows");
                }
            }
        }
    }
}

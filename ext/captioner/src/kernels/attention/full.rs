//! Softmax attention as two products of `f32` with the softmax between them, a few queries at a time.

use super::Heads;
use crate::kernels::elementwise::{exp_row, scale_row};
use crate::kernels::product::{product, transpose, Element, Left, Out, Right, Start};
use crate::kernels::Scratch;

/// Queries whose scores exist at a time: whole tiles of the product, and few enough that their scores stay in the
/// first-level cache for the softmax and the product with the values.
pub(super) const QUERIES: usize = 24;

/// Full attention among `tokens` rows: `out = softmax(q·kᵀ * scale)·v`, head by head. `q`, `k` and `v` start at the first
/// head's first channel; `out` is `[tokens, count * dim]`. Runs on the calling thread.
pub fn attend(q: &[f32], k: &[f32], v: &[f32], tokens: usize, heads: Heads, scale: f32, out: &mut [f32]) {
    let (Heads { count, dim, stride }, width) = (heads, heads.count * heads.dim);
    let mut keys = Scratch::take(tokens * dim);
    for at in (0..count).map(|head| head * dim) {
        transpose(&k[at..], stride, (tokens, dim), &mut keys, tokens);
        for first in (0..tokens).step_by(QUERIES) {
            attend_rows(
                (QUERIES.min(tokens - first), tokens, dim),
                Left { values: &q[first * stride + at..], row: stride, step: 1 },
                Right { values: &keys, row: tokens },
                Right { values: &v[at..], row: stride },
                scale,
                Out { values: &mut out[first * width + at..], row: width },
            );
        }
    }
}

/// At most [`QUERIES`] rows of one head.
fn attend_rows((rows, tokens, dim): (usize, usize, usize), q: Left, keys: Right, values: Right, scale: f32, out: Out) {
    let mut scores = Scratch::take(rows * tokens);
    let place = Out { values: &mut scores, row: tokens };
    product((rows, tokens, dim), q, keys, Start::default(), place);
    mix(&mut scores, (rows, tokens, dim), values, scale, out);
}

/// `out = softmax(scale * scores)·values`, `[rows, dim]`; the scores, `[rows, tokens]`, are overwritten.
pub(super) fn mix<T: Element>(
    scores: &mut [f32],
    (rows, tokens, dim): (usize, usize, usize),
    values: Right<T>,
    scale: f32,
    out: Out,
) {
    let mut sums = [0.0; QUERIES];
    scores.chunks_exact_mut(tokens).zip(&mut sums).for_each(|(row, sum)| *sum = exp_row(row, scale));
    let weights = Left { values: scores, row: tokens, step: 1 };
    product((rows, dim, tokens), weights, values, Start::default(), Out { values: &mut *out.values, row: out.row });
    for (row, sum) in out.values.chunks_mut(out.row).zip(&sums[..rows]) {
        scale_row(&mut row[..dim], 1.0 / sum);
    }
}

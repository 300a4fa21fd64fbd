//! Attention of a few rows to tokens that stay the same for a whole caption, so that they are laid out once in the order in
//! which they are read: for each head
//!
//! ```text
//! keys    tokens 0..64: channel 0 of each, channel 1 of each, ...;  tokens 64..128: ...
//! values  token 0: all channels;  token 1: ...
//! ```

use super::streamed::QUERIES;
use crate::kernels::elementwise::{exp_row, scale_row};
use crate::kernels::product::{product, transpose, Element, Left, Out, Right, Start};
use crate::kernels::Scratch;

/// Tokens whose keys lie together.
pub(super) const TOKENS: usize = 64;

/// Writes one head's keys in the order above to `out`, `[tokens * dim]`; token `i` begins at `keys[i * row]`.
pub fn turn_keys(keys: &[f32], row: usize, dim: usize, out: &mut [f32]) {
    for (block, out) in out.chunks_mut(TOKENS * dim).enumerate() {
        let tokens = out.len() / dim;
        transpose(&keys[block * TOKENS * row..], row, (tokens, dim), out, tokens);
    }
}

/// One head's attention: `out = softmax(scale * q·keysᵀ)·values`. Row `i` of the queries begins at `q[i * row]`; `keys` and
/// `values` are `[tokens * dim]` in the order above, `out` is `[rows, dim]`. Runs on the calling thread.
pub fn attend_shared<T: Element>(
    q: &[f32],
    row: usize,
    keys: &[T],
    values: &[T],
    dim: usize,
    scale: f32,
    out: &mut [f32],
) {
    let tokens = values.len() / dim;
    for (block, out) in out.chunks_mut(QUERIES * dim).enumerate() {
        let rows = out.len() / dim;
        let mut scores = Scratch::take(rows * tokens);
        for (part, keys) in keys.chunks(TOKENS * dim).enumerate() {
            let q = Left { values: &q[block * QUERIES * row..], row, step: 1 };
            let place = Out { values: &mut scores[part * TOKENS..], row: tokens };
            score_shared((rows, dim), q, keys, place);
        }
        let values = Right { values, row: dim };
        mix(&mut scores, (rows, tokens, dim), values, scale, Out { values: out, row: dim });
    }
}

/// `out = softmax(scale * scores)·values`, `[rows, dim]`; the scores, `[rows, tokens]`, are overwritten.
fn mix<T: Element>(
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

/// The products of some rows with keys that lie together.
pub(super) fn score_shared<T: Element>((rows, dim): (usize, usize), q: Left, keys: &[T], out: Out) {
    let tokens = keys.len() / dim;
    product((rows, tokens, dim), q, Right { values: keys, row: tokens }, Start::default(), out);
}

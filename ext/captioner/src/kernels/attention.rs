//! Attention in the three shapes that Florence-2 has: over tokens (windows, encoder), over channels, and of one new
//! token over a cache.

use multiversion::multiversion;

use super::elementwise::{exp_row, scale_row};
use super::product::{product, transpose, Left, Out, Right, Start};
use super::{dot, softmax, Scratch};

/// Where the queries, keys and values of each head lie: rows of `stride` floats, heads side by side.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Number of heads.
    pub count: usize,
    /// Channels of one head.
    pub dim: usize,
    /// Floats from one row to the next in `q`, `k` and `v`.
    pub stride: usize,
}

/// Queries whose scores exist at a time: whole tiles of the product, and few enough that their scores stay in the
/// first-level cache for the softmax and the product with the values.
const QUERIES: usize = 24;

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

/// One head's attention of any rows to `tokens` keys and values. `q` and `values` start at the head's first channel, in rows
/// of `heads.stride`; `keys` start there as `[dim, tokens]`; `out` is `[rows, dim]`. Runs on the calling thread.
pub fn attend_turned(
    q: &[f32],
    keys: &[f32],
    values: &[f32],
    tokens: usize,
    heads: Heads,
    scale: f32,
    out: &mut [f32],
) {
    let Heads { dim, stride, .. } = heads;
    for (block, out) in out.chunks_mut(QUERIES * dim).enumerate() {
        attend_rows(
            (out.len() / dim, tokens, dim),
            Left { values: &q[block * QUERIES * stride..], row: stride, step: 1 },
            Right { values: keys, row: tokens },
            Right { values, row: stride },
            scale,
            Out { values: out, row: dim },
        );
    }
}

/// At most [`QUERIES`] rows of one head.
fn attend_rows((rows, tokens, dim): (usize, usize, usize), q: Left, keys: Right, values: Right, scale: f32, out: Out) {
    let mut scores = Scratch::take(rows * tokens);
    let place = Out { values: &mut scores, row: tokens };
    product((rows, tokens, dim), q, keys, Start::default(), place);
    let mut sums = [0.0; QUERIES];
    scores.chunks_exact_mut(tokens).zip(&mut sums).for_each(|(row, sum)| *sum = exp_row(row, scale));
    let weights = Left { values: &scores, row: tokens, step: 1 };
    product((rows, dim, tokens), weights, values, Start::default(), Out { values: &mut *out.values, row: out.row });
    for (row, sum) in out.values.chunks_mut(out.row).zip(&sums[..rows]) {
        scale_row(&mut row[..dim], 1.0 / sum);
    }
}

/// First half of channel attention (DaViT): adds `qᵀ·k` over these tokens to `scores`, `[groups, dim, dim]`. `qkv` is
/// `[tokens, 3 * groups * dim]`. Runs on the calling thread.
pub fn add_channel_scores(qkv: &[f32], groups: usize, dim: usize, scores: &mut [f32]) {
    let width = groups * dim;
    let tokens = qkv.len() / (3 * width);
    assert!(qkv.len() == tokens * 3 * width && scores.len() == groups * dim * dim);
    for (group, scores) in scores.chunks_exact_mut(dim * dim).enumerate() {
        let (q, k) = (&qkv[group * dim..], &qkv[width + group * dim..]);
        product(
            (dim, dim, tokens),
            Left { values: q, row: 1, step: 3 * width },
            Right { values: k, row: 3 * width },
            Start { out: true, ..Start::default() },
            Out { values: scores, row: dim },
        );
    }
}

/// Second half: `out[t, i] = Σ_j weights[i, j] · v[t, j]` within each group; `v` and `out` are `[tokens, groups * dim]`,
/// `weights` are the scores after the softmax. Runs on the calling thread.
pub fn mix_channels(weights: &[f32], v: &[f32], groups: usize, dim: usize, out: &mut [f32]) {
    let width = groups * dim;
    assert!(v.len() == out.len() && weights.len() == groups * dim * dim);
    let mut turned = Scratch::take(dim * dim);
    for (group, weights) in weights.chunks_exact(dim * dim).enumerate() {
        transpose(weights, dim, (dim, dim), &mut turned, dim);
        product(
            (v.len() / width, dim, dim),
            Left { values: &v[group * dim..], row: width, step: 1 },
            Right { values: &turned, row: dim },
            Start::default(),
            Out { values: &mut out[group * dim..], row: width },
        );
    }
}

/// One query row over cached rows: `keys[i]` and `values[i]` are the rows (all heads) of the i-th token attended to.
/// `q` and `out` are `[count * dim]`.
pub fn attend_cached(q: &[f32], keys: &[&[f32]], values: &[&[f32]], heads: Heads, scale: f32, out: &mut [f32]) {
    let mut scores = vec![0.0; keys.len()];
    for head in 0..heads.count {
        let channels = head * heads.dim..(head + 1) * heads.dim;
        let q = &q[channels.clone()];
        for (score, key) in scores.iter_mut().zip(keys) {
            *score = dot(q, &key[channels.clone()]);
        }
        softmax(&mut scores, scale);
        let out = &mut out[channels.clone()];
        out.fill(0.0);
        for (score, value) in scores.iter().zip(values) {
            add_scaled(out, *score, &value[channels.clone()]);
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma"))]
fn add_scaled(out: &mut [f32], factor: f32, values: &[f32]) {
    for (out, v) in out.iter_mut().zip(values) {
        *out += factor * v;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::values;

    #[test]
    fn full_turned_and_cached_attention_agree() {
        let heads = Heads { count: 3, dim: 8, stride: 72 };
        for tokens in [1, 11, 30] {
            let width = 24;
            let qkv = values(tokens * 72, 7);
            let mut out = vec![0.0; tokens * width];
            attend(&qkv, &qkv[24..], &qkv[48..], tokens, heads, 0.3, &mut out);
            let keys: Vec<&[f32]> = qkv.chunks_exact(72).map(|r| &r[24..48]).collect();
            let values: Vec<&[f32]> = qkv.chunks_exact(72).map(|r| &r[48..]).collect();
            for t in 0..tokens {
                let mut row = vec![0.0; width];
                attend_cached(&qkv[t * 72..t * 72 + 24], &keys, &values, heads, 0.3, &mut row);
                assert!(row.iter().zip(&out[t * width..]).all(|(a, b)| (a - b).abs() < 1e-5), "cached, row {t}");
            }
            let mut turned = vec![0.0; width * tokens];
            transpose(&qkv[24..], 72, (tokens, width), &mut turned, tokens);
            for at in [0, 8, 16] {
                let mut head = vec![0.0; tokens * 8];
                attend_turned(&qkv[at..], &turned[at * tokens..], &qkv[48 + at..], tokens, heads, 0.3, &mut head);
                for (row, all) in head.chunks_exact(8).zip(out.chunks_exact(width)) {
                    assert!(row.iter().zip(&all[at..]).all(|(a, b)| (a - b).abs() < 1e-5), "turned, head at {at}");
                }
            }
        }
    }

    #[test]
    fn channel_attention_equals_the_definition() {
        let (tokens, groups, dim) = (9, 2, 4);
        let width = groups * dim;
        let qkv = values(tokens * 3 * width, 3);
        let mut weights = vec![0.0; groups * dim * dim];
        add_channel_scores(&qkv[..4 * 3 * width], groups, dim, &mut weights);
        add_channel_scores(&qkv[4 * 3 * width..], groups, dim, &mut weights);
        weights.chunks_exact_mut(dim).for_each(|row| softmax(row, 0.5));
        let v: Vec<f32> = qkv.chunks_exact(3 * width).flat_map(|row| row[2 * width..].to_vec()).collect();
        let mut out = vec![0.0; tokens * width];
        mix_channels(&weights, &v, groups, dim, &mut out);
        let at = |t: usize, part: usize, c: usize| f64::from(qkv[t * 3 * width + part * width + c]);
        for g in 0..groups {
            for i in 0..dim {
                let scores: Vec<f64> = (0..dim)
                    .map(|j| (0..tokens).map(|t| at(t, 0, g * dim + i) * at(t, 1, g * dim + j)).sum::<f64>() * 0.5)
                    .map(f64::exp)
                    .collect();
                let total: f64 = scores.iter().sum();
                for t in 0..tokens {
                    let expected: f64 = (0..dim).map(|j| scores[j] / total * at(t, 2, g * dim + j)).sum();
                    assert!((f64::from(out[t * width + g * dim + i]) - expected).abs() < 1e-5);
                }
            }
        }
    }
}

//! Attention in the three shapes that Florence-2 has: over tokens (windows, encoder), over channels, and of one new
//! token over a cache.

use gemm::Parallelism;
use multiversion::multiversion;

use super::{dot, softmax};

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

/// Full attention among `tokens` rows: `out = softmax(q·kᵀ * scale)·v`, head by head. `q`, `k` and `v` start at the first
/// head's first channel; `out` is `[tokens, count * dim]`. `scores` is scratch. Runs on the calling thread.
#[allow(clippy::too_many_arguments)]
pub fn attend(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    tokens: usize,
    heads: Heads,
    scale: f32,
    scores: &mut Vec<f32>,
    out: &mut [f32],
) {
    let width = heads.count * heads.dim;
    let needed = (tokens - 1) * heads.stride + width;
    assert!(q.len() >= needed && k.len() >= needed && v.len() >= needed && out.len() >= tokens * width);
    scores.resize(tokens * tokens, 0.0);
    let stride = heads.stride as isize;
    for head in 0..heads.count {
        let at = head * heads.dim;
        // SAFETY: every row of q, k and v that is read ends before `needed`, checked above.
        unsafe {
            product(
                (tokens, tokens, heads.dim),
                (scores.as_mut_ptr(), tokens as isize, false),
                (q.as_ptr().add(at), 1, stride),
                (k.as_ptr().add(at), stride, 1),
            );
        }
        scores.chunks_exact_mut(tokens).for_each(|row| softmax(row, scale));
        // SAFETY: as above; out holds tokens rows of `width`.
        unsafe {
            product(
                (tokens, heads.dim, tokens),
                (out.as_mut_ptr().add(at), width as isize, false),
                (scores.as_ptr(), 1, tokens as isize),
                (v.as_ptr().add(at), 1, stride),
            );
        }
    }
}

/// First half of channel attention (DaViT): adds `qᵀ·k` over these tokens to `scores`, `[groups, dim, dim]`. `qkv` is
/// `[tokens, 3 * groups * dim]`. Runs on the calling thread.
pub fn add_channel_scores(qkv: &[f32], groups: usize, dim: usize, scores: &mut [f32]) {
    let width = groups * dim;
    let tokens = qkv.len() / (3 * width);
    assert!(qkv.len() == tokens * 3 * width && scores.len() == groups * dim * dim);
    let stride = 3 * width as isize;
    for (group, scores) in scores.chunks_exact_mut(dim * dim).enumerate() {
        // SAFETY: columns group*dim.. of q and width + group*dim.. of k in `tokens` rows of 3*width floats.
        unsafe {
            product(
                (dim, dim, tokens),
                (scores.as_mut_ptr(), dim as isize, true),
                (qkv.as_ptr().add(group * dim), stride, 1),
                (qkv.as_ptr().add(width + group * dim), 1, stride),
            );
        }
    }
}

/// Second half: `out[t, i] = Σ_j weights[i, j] · v[t, j]` within each group; `v` and `out` are `[tokens, groups * dim]`,
/// `weights` are the scores after the softmax. Runs on the calling thread.
pub fn mix_channels(weights: &[f32], v: &[f32], groups: usize, dim: usize, out: &mut [f32]) {
    let width = groups * dim;
    assert!(v.len() == out.len() && weights.len() == groups * dim * dim);
    for (group, weights) in weights.chunks_exact(dim * dim).enumerate() {
        // SAFETY: columns group*dim..(group+1)*dim of rows of `width` floats.
        unsafe {
            product(
                (v.len() / width, dim, dim),
                (out.as_mut_ptr().add(group * dim), width as isize, false),
                (v.as_ptr().add(group * dim), 1, width as isize),
                (weights.as_ptr(), dim as isize, 1),
            );
        }
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

/// `out[m, n] (+)= a[m, k] · b[k, n]` on this thread; operands are (pointer, column step, row step), `out` is row-major.
unsafe fn product(
    (m, n, k): (usize, usize, usize),
    (out, out_row, add): (*mut f32, isize, bool),
    (a, a_col, a_row): (*const f32, isize, isize),
    (b, b_col, b_row): (*const f32, isize, isize),
) {
    gemm::gemm(
        m,
        n,
        k,
        out,
        1,
        out_row,
        add,
        a,
        a_col,
        a_row,
        b,
        b_col,
        b_row,
        1.0,
        1.0,
        false,
        false,
        false,
        Parallelism::None,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(len: usize, seed: u32) -> Vec<f32> {
        (0..len as u32).map(|i| ((i.wrapping_mul(2_654_435_761) ^ seed) >> 20) as f32 / 2048.0 - 1.0).collect()
    }

    #[test]
    fn full_and_cached_attention_agree() {
        let heads = Heads { count: 3, dim: 8, stride: 72 };
        let (tokens, width) = (11, 24);
        let qkv = values(tokens * 72, 7);
        let mut out = vec![0.0; tokens * width];
        attend(&qkv, &qkv[24..], &qkv[48..], tokens, heads, 0.3, &mut Vec::new(), &mut out);
        let keys: Vec<&[f32]> = qkv.chunks_exact(72).map(|r| &r[24..48]).collect();
        let values: Vec<&[f32]> = qkv.chunks_exact(72).map(|r| &r[48..]).collect();
        for t in 0..tokens {
            let mut row = vec![0.0; width];
            attend_cached(&qkv[t * 72..t * 72 + 24], &keys, &values, heads, 0.3, &mut row);
            for (a, b) in row.iter().zip(&out[t * width..]) {
                assert!((a - b).abs() < 1e-5);
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

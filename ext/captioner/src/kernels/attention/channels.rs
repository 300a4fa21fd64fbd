//! Attention among channels: DaViT (arXiv 2204.03645), section 3.2.

use crate::kernels::product::{product, transpose, Left, Out, Right, Start};
use crate::kernels::Scratch;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::values;
    use crate::kernels::softmax;

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

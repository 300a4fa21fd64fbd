//! Layer normalisation over the channels of each row.

use multiversion::multiversion;

/// `out[r] = (x[r] - mean) / sqrt(variance + eps) * weight + bias` for every row of `weight.len()` channels; the
/// variance is the biased one, as in `torch.nn.LayerNorm`.
pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    for (row, out) in x.chunks_exact(weight.len()).zip(out.chunks_exact_mut(weight.len())) {
        normalize_row(row, weight, bias, eps, out);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
fn normalize_row(row: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let n = row.len() as f32;
    let mean = lane_sum(row, |v| v) / n;
    let variance = lane_sum(row, |v| (v - mean) * (v - mean)) / n;
    let inverse = 1.0 / (variance + eps).sqrt();
    for (((out, v), w), b) in out.iter_mut().zip(row).zip(weight).zip(bias) {
        *out = (v - mean) * inverse * w + b;
    }
}

/// A sum in sixteen lanes: vector code, and a smaller rounding error than one running sum.
#[inline(always)]
fn lane_sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0f32; 16];
    let chunks = row.chunks_exact(16);
    let rest: f32 = chunks.remainder().iter().map(|&v| f(v)).sum();
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += f(*v);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_have_zero_mean_and_unit_variance() {
        let x: Vec<f32> = (0..3 * 37).map(|i| (i * i % 17) as f32 - 3.0).collect();
        let mut out = vec![0.0; x.len()];
        super::layer_norm(&x, &[1.0; 37], &[0.0; 37], 1e-5, &mut out);
        for row in out.chunks_exact(37) {
            let mean: f32 = row.iter().sum::<f32>() / 37.0;
            let variance: f32 = row.iter().map(|v| v * v).sum::<f32>() / 37.0;
            assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-4);
        }
    }
}

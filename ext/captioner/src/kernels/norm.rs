//! Normalisation over the channels of each row.

use super::simd::{dispatched, Vector};

dispatched! {
    /// `out[r] = (x[r] - mean) / sqrt(variance + eps) * weight + bias` for every row of `weight.len()` channels; the
    /// variance is the biased one, as in `torch.nn.LayerNorm`.
    pub fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) = layer_norm_kernel
}

#[inline(always)]
unsafe fn layer_norm_kernel<V: Vector>(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [f32]) {
    let channels = weight.len();
    assert!(bias.len() == channels, "layer_norm: a bias of another length than the weight");
    for (row, out) in x.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
        let mean = sum_of::<V>(row, |v| v, |v| v) / channels as f32;
        let means = V::splat(mean);
        let square = |v: V| v.sub(means).mul(v.sub(means));
        let variance = sum_of::<V>(row, square, |v| (v - mean) * (v - mean)) / channels as f32;
        let inverse = 1.0 / (variance + eps).sqrt();
        let inverses = V::splat(inverse);
        let whole = channels / V::LANES * V::LANES;
        for i in (0..whole).step_by(V::LANES) {
            let (weight, bias) = (V::load(weight.as_ptr().add(i)), V::load(bias.as_ptr().add(i)));
            let normed = V::load(row.as_ptr().add(i)).sub(means).mul(inverses);
            normed.mul_add(weight, bias).store(out.as_mut_ptr().add(i));
        }
        for i in whole..channels {
            out[i] = (row[i] - mean) * inverse * weight[i] + bias[i];
        }
    }
}

dispatched! {
    /// `out[r] = x[r] / sqrt(mean(x[r]^2) + eps) * weight` for every row of `weight.len()` channels (arXiv 1910.07467).
    pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) = rms_norm_kernel
}

#[inline(always)]
unsafe fn rms_norm_kernel<V: Vector>(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let channels = weight.len();
    for (row, out) in x.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
        let square = sum_of::<V>(row, |v| v.mul(v), |v| v * v) / channels as f32;
        let inverse = 1.0 / (square + eps).sqrt();
        let inverses = V::splat(inverse);
        let whole = channels / V::LANES * V::LANES;
        for i in (0..whole).step_by(V::LANES) {
            let normed = V::load(row.as_ptr().add(i)).mul(inverses);
            normed.mul(V::load(weight.as_ptr().add(i))).store(out.as_mut_ptr().add(i));
        }
        for i in whole..channels {
            out[i] = row[i] * inverse * weight[i];
        }
    }
}

/// A sum in two vectors: no wait for each addition, and a smaller rounding error than one running sum.
#[inline(always)]
unsafe fn sum_of<V: Vector>(row: &[f32], f: impl Fn(V) -> V, last: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [V::splat(0.0); 2];
    let pairs = row.len() / (2 * V::LANES);
    for i in 0..pairs {
        for (half, sum) in sums.iter_mut().enumerate() {
            *sum = sum.add(f(V::load(row.as_ptr().add((2 * i + half) * V::LANES))));
        }
    }
    sums[0].add(sums[1]).sum() + row[2 * pairs * V::LANES..].iter().map(|v| last(*v)).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::super::simd::tests::versions;
    use super::*;

    #[test]
    fn rows_have_zero_mean_and_unit_variance() {
        for channels in [1, 16, 37, 96] {
            let x: Vec<f32> = (0..3 * channels).map(|i| (i * i % 17) as f32 - 3.0).collect();
            versions!(V => {
                let mut out = vec![0.0; x.len()];
                layer_norm_kernel::<V>(&x, &vec![2.0; channels], &vec![0.5; channels], 1e-5, &mut out);
                for (row, x) in out.chunks_exact(channels).zip(x.chunks_exact(channels)) {
                    let mean: f32 = x.iter().sum::<f32>() / channels as f32;
                    let variance: f32 = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / channels as f32;
                    for (out, x) in row.iter().zip(x) {
                        let expected = (x - mean) / (variance + 1e-5).sqrt() * 2.0 + 0.5;
                        assert!((out - expected).abs() < 1e-4, "{channels} channels: {out} {expected}");
                    }
                }
            });
        }
    }

    #[test]
    fn rows_have_a_mean_square_of_one() {
        for channels in [1, 16, 37, 576] {
            let x: Vec<f32> = (0..3 * channels).map(|i| (i * i % 17) as f32 - 3.0).collect();
            let weight: Vec<f32> = (0..channels).map(|i| 1.0 + i as f32 / 10.0).collect();
            versions!(V => {
                let mut out = vec![0.0; x.len()];
                rms_norm_kernel::<V>(&x, &weight, 1e-5, &mut out);
                for (row, x) in out.chunks_exact(channels).zip(x.chunks_exact(channels)) {
                    let square = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / channels as f64;
                    for ((out, x), weight) in row.iter().zip(x).zip(&weight) {
                        let expected = f64::from(*x) / (square + 1e-5).sqrt() * f64::from(*weight);
                        assert!((f64::from(*out) - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{channels} channels");
                    }
                }
            });
        }
    }
}

//! Vectorised elementwise functions. Each is compiled for AVX-512, AVX2 and the baseline, and picked at run time.

use multiversion::multiversion;

/// `exp(x)` for `x <= 88`, within 2 units in the last place; a polynomial after a reduction to `[-ln2/2, ln2/2]`
/// (Cephes, `expf`), written so that the compiler turns a loop over it into vector code.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding it rounds to an integer, which is then found in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let n = x * std::f32::consts::LOG2_E + ROUND;
    let bits = n.to_bits();
    let n = n - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let y = p * r * r + r + 1.0;
    y * f32::from_bits((bits << 23).wrapping_add(1.0f32.to_bits()))
}

/// The error function, within 1e-6 of the exact value: a rational approximation on `[-4, 4]`, the range in which an
/// `f32` result differs from one (Eigen, `generic_fast_erf_float`).
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let x2 = x * x;
    let p = -2.726_142_3e-10;
    let p = p * x2 + 2.770_681_4e-8;
    let p = p * x2 - 2.101_024e-6;
    let p = p * x2 - 5.692_506_4e-5;
    let p = p * x2 - 7.349_906e-4;
    let p = p * x2 - 2.954_6e-3;
    let p = p * x2 - 1.609_603_3e-2;
    let q = -1.456_607_2e-5;
    let q = q * x2 - 2.133_740_6e-4;
    let q = q * x2 - 1.682_827e-3;
    let q = q * x2 - 7.373_329e-3;
    let q = q * x2 - 1.426_474e-2;
    x * p / q
}

/// The exact (erf) GELU of the reference, in place.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
pub fn gelu(values: &mut [f32]) {
    for v in values {
        *v = 0.5 * *v * (1.0 + erf(*v * std::f32::consts::FRAC_1_SQRT_2));
    }
}

/// `into += values`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub fn add(into: &mut [f32], values: &[f32]) {
    for (a, b) in into.iter_mut().zip(values) {
        *a += b;
    }
}

/// Softmax of one row, in place, of `scale * row`.
pub fn softmax(row: &mut [f32], scale: f32) {
    let inverse = 1.0 / exp_row(row, scale);
    scale_row(row, inverse);
}

/// The softmax of `scale * row` before it is divided by its sum, in place; gives the sum. What is linear in the softmax can
/// be divided afterwards, which is often less work.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
pub fn exp_row(row: &mut [f32], scale: f32) -> f32 {
    let max = maximum(row) * scale;
    let mut sums = [0f32; 16];
    let (chunks, rest) = row.as_chunks_mut::<16>();
    for chunk in chunks {
        for (v, s) in chunk.iter_mut().zip(&mut sums) {
            *v = exp(*v * scale - max);
            *s += *v;
        }
    }
    for v in rest {
        *v = exp(*v * scale - max);
        sums[0] += *v;
    }
    sums.iter().sum()
}

/// `row *= factor`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub fn scale_row(row: &mut [f32], factor: f32) {
    row.iter_mut().for_each(|v| *v *= factor);
}

/// The largest value, in sixteen lanes.
#[inline(always)]
fn maximum(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let chunks = row.chunks_exact(16);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (m, v) in lanes.iter_mut().zip(chunk) {
            *m = if *v > *m { *v } else { *m };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(from: f32, to: f32) -> impl Iterator<Item = f32> {
        (0..=20_000).map(move |i| from + (to - from) * i as f32 / 20_000.0)
    }

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        for x in grid(-80.0, 80.0) {
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) - exact).abs() <= exact * 2.5e-7, "exp({x})");
        }
        assert!(exp(-1000.0) < 1e-37);
    }

    #[test]
    fn erf_is_within_a_millionth() {
        for x in grid(-6.0, 6.0) {
            assert!((f64::from(erf(x)) - erf_series(f64::from(x))).abs() < 1e-6, "erf({x})");
        }
    }

    /// Maclaurin series up to |x| = 3, one beyond, where the difference is below 3e-5 and checked by monotony alone.
    fn erf_series(x: f64) -> f64 {
        if x.abs() > 5.0 {
            return x.signum();
        }
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn softmax_sums_to_one_and_keeps_order() {
        for len in [1, 7, 16, 33, 144] {
            let mut row: Vec<f32> = (0..len).map(|i| (i as f32 * 0.37).sin() * 9.0).collect();
            let exact: Vec<f64> = row.iter().map(|v| (f64::from(*v) * 0.5).exp()).collect();
            let total: f64 = exact.iter().sum();
            softmax(&mut row, 0.5);
            for (v, e) in row.iter().zip(&exact) {
                assert!((f64::from(*v) - e / total).abs() < 1e-6);
            }
        }
    }
}

//! Elementwise functions and softmax, over vectors.

use super::simd::{dispatched, Vector};

/// `exp(x)` for `x <= 88`, within 2 units in the last place; a polynomial after a reduction to `[-ln2/2, ln2/2]`
/// (Cephes, `expf`).
#[inline(always)]
pub(super) unsafe fn exp<V: Vector>(x: V) -> V {
    let c = |value: f32| V::splat(value);
    // Adding it rounds to an integer, which is then found in the lowest bits.
    let round = c(12_582_912.0);
    let x = x.at_least(c(-87.0)).at_most(c(88.0));
    let shifted = x.mul_add(c(std::f32::consts::LOG2_E), round);
    let n = shifted.sub(round);
    let r = n.mul_add(c(2.121_944_4e-4), n.mul_add(c(-0.693_359_4), x));
    let p = c(1.987_569_1e-4);
    let p = p.mul_add(r, c(1.398_199_9e-3));
    let p = p.mul_add(r, c(8.333_452e-3));
    let p = p.mul_add(r, c(4.166_579_6e-2));
    let p = p.mul_add(r, c(1.666_666_5e-1));
    let p = p.mul_add(r, c(0.5));
    let y = p.mul_add(r.mul(r), r.add(c(1.0)));
    y.mul(shifted.power_of_two())
}

/// The error function, within 1e-6 of the exact value: a rational approximation on `[-4, 4]`, the range in which an
/// `f32` result differs from one (Eigen, `generic_fast_erf_float`).
#[inline(always)]
unsafe fn erf<V: Vector>(x: V) -> V {
    let c = |value: f32| V::splat(value);
    let x = x.at_least(c(-4.0)).at_most(c(4.0));
    let x2 = x.mul(x);
    let p = c(-2.726_142_3e-10);
    let p = p.mul_add(x2, c(2.770_681_4e-8));
    let p = p.mul_add(x2, c(-2.101_024e-6));
    let p = p.mul_add(x2, c(-5.692_506_4e-5));
    let p = p.mul_add(x2, c(-7.349_906e-4));
    let p = p.mul_add(x2, c(-2.954_6e-3));
    let p = p.mul_add(x2, c(-1.609_603_3e-2));
    let q = c(-1.456_607_2e-5);
    let q = q.mul_add(x2, c(-2.133_740_6e-4));
    let q = q.mul_add(x2, c(-1.682_827e-3));
    let q = q.mul_add(x2, c(-7.373_329e-3));
    let q = q.mul_add(x2, c(-1.426_474e-2));
    x.mul(p).div(q)
}

/// `values[i] = f(values[i])`: whole vectors with `f`, the end with `last`, which is the same over one lane.
#[inline(always)]
pub(super) unsafe fn map<V: Vector>(values: &mut [f32], f: impl Fn(V) -> V, last: impl Fn(f32) -> f32) {
    let whole = values.len() / V::LANES * V::LANES;
    let at = values.as_mut_ptr();
    for i in (0..whole).step_by(V::LANES) {
        f(V::load(at.add(i))).store(at.add(i));
    }
    values[whole..].iter_mut().for_each(|v| *v = last(*v));
}

dispatched! {
    /// The exact (erf) GELU of the reference, in place.
    pub fn gelu(values: &mut [f32]) = gelu_kernel
}

#[inline(always)]
unsafe fn gelu_kernel<V: Vector>(values: &mut [f32]) {
    map::<V>(values, |v| gelu_of(v), |v| gelu_of(v));
}

#[inline(always)]
unsafe fn gelu_of<V: Vector>(v: V) -> V {
    let half = v.mul(V::splat(0.5));
    erf(v.mul(V::splat(std::f32::consts::FRAC_1_SQRT_2))).mul_add(half, half)
}

dispatched! {
    /// GELU by its approximation with tanh (arXiv 1606.08415; PyTorch's `approximate="tanh"`), in place.
    pub fn gelu_tanh(values: &mut [f32]) = gelu_tanh_kernel
}

#[inline(always)]
unsafe fn gelu_tanh_kernel<V: Vector>(values: &mut [f32]) {
    map::<V>(values, |v| gelu_tanh_of(v), |v| gelu_tanh_of(v));
}

/// `(1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u))`
#[inline(always)]
unsafe fn gelu_tanh_of<V: Vector>(v: V) -> V {
    let cubic = v.mul(v).mul_add(V::splat(0.044_715), V::splat(1.0));
    gated_by(v, v.mul(cubic).mul(V::splat(-2.0 * 0.797_884_6)))
}

dispatched! {
    /// SiLU, `x / (1 + exp(-x))`, in place.
    pub fn silu(values: &mut [f32]) = silu_kernel
}

#[inline(always)]
unsafe fn silu_kernel<V: Vector>(values: &mut [f32]) {
    map::<V>(values, |v| gated_by(v, v.mul(V::splat(-1.0))), |v| gated_by(v, -v));
}

/// `v / (1 + exp(t))`
#[inline(always)]
unsafe fn gated_by<V: Vector>(v: V, t: V) -> V {
    v.div(exp(t).add(V::splat(1.0)))
}

dispatched! {
    /// `into *= values`.
    pub fn multiply(into: &mut [f32], values: &[f32]) = multiply_kernel
}

#[inline(always)]
unsafe fn multiply_kernel<V: Vector>(into: &mut [f32], values: &[f32]) {
    let len = into.len().min(values.len());
    let whole = len / V::LANES * V::LANES;
    for i in (0..whole).step_by(V::LANES) {
        let at = into.as_mut_ptr().add(i);
        V::load(at).mul(V::load(values.as_ptr().add(i))).store(at);
    }
    into[whole..len].iter_mut().zip(&values[whole..]).for_each(|(a, b)| *a *= b);
}

dispatched! {
    /// `row *= factor`.
    pub fn scale_row(row: &mut [f32], factor: f32) = scale_row_kernel
}

#[inline(always)]
unsafe fn scale_row_kernel<V: Vector>(row: &mut [f32], factor: f32) {
    let factors = V::splat(factor);
    map::<V>(row, |v| v.mul(factors), |v| v * factor);
}

dispatched! {
    /// `into += values`.
    pub fn add(into: &mut [f32], values: &[f32]) = add_kernel
}

#[inline(always)]
unsafe fn add_kernel<V: Vector>(into: &mut [f32], values: &[f32]) {
    let len = into.len().min(values.len());
    let whole = len / V::LANES * V::LANES;
    for i in (0..whole).step_by(V::LANES) {
        let at = into.as_mut_ptr().add(i);
        V::load(at).add(V::load(values.as_ptr().add(i))).store(at);
    }
    into[whole..len].iter_mut().zip(&values[whole..]).for_each(|(a, b)| *a += b);
}

/// Softmax of one row, in place, of `scale * row`.
pub fn softmax(row: &mut [f32], scale: f32) {
    let sum = exp_row(row, scale);
    scale_row(row, 1.0 / sum);
}

dispatched! {
    /// The softmax of `scale * row` before it is divided by its sum, in place; gives the sum. What is linear in the softmax
    /// can be divided afterwards, which is often less work.
    pub fn exp_row(row: &mut [f32], scale: f32) -> f32 = exp_row_kernel
}

#[inline(always)]
unsafe fn exp_row_kernel<V: Vector>(row: &mut [f32], scale: f32) -> f32 {
    let max = maximum::<V>(row) * scale;
    let (scales, shift) = (V::splat(scale), V::splat(-max));
    let whole = row.len() / V::LANES * V::LANES;
    let at = row.as_mut_ptr();
    let mut sums = V::splat(0.0);
    for i in (0..whole).step_by(V::LANES) {
        let v = exp(V::load(at.add(i)).mul_add(scales, shift));
        v.store(at.add(i));
        sums = sums.add(v);
    }
    let mut sum = sums.sum();
    for v in &mut row[whole..] {
        *v = exp(*v * scale - max);
        sum += *v;
    }
    sum
}

dispatched! {
    /// `ln Σ exp(row)`, summed in `f64` by pieces.
    pub fn log_sum_exp(row: &[f32]) -> f32 = log_sum_exp_kernel
}

#[inline(always)]
unsafe fn log_sum_exp_kernel<V: Vector>(row: &[f32]) -> f32 {
    let max = maximum::<V>(row);
    let shift = V::splat(max);
    let mut total = 0f64;
    for piece in row.chunks(1024) {
        let whole = piece.len() / V::LANES * V::LANES;
        let mut sums = V::splat(0.0);
        for i in (0..whole).step_by(V::LANES) {
            sums = sums.add(exp(V::load(piece.as_ptr().add(i)).sub(shift)));
        }
        total += f64::from(sums.sum());
        for v in &piece[whole..] {
            total += f64::from(exp(v - max));
        }
    }
    max + total.ln() as f32
}

dispatched! {
    /// The largest value.
    pub fn max(row: &[f32]) -> f32 = maximum
}

#[inline(always)]
unsafe fn maximum<V: Vector>(row: &[f32]) -> f32 {
    let whole = row.len() / V::LANES * V::LANES;
    let mut max = V::splat(f32::NEG_INFINITY);
    for i in (0..whole).step_by(V::LANES) {
        max = max.at_least(V::load(row.as_ptr().add(i)));
    }
    row[whole..].iter().fold(max.max(), |a, &b| if b > a { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::super::simd::tests::versions;
    use super::*;

    fn grid(from: f32, to: f32) -> impl Iterator<Item = f32> {
        (0..=20_000).map(move |i| from + (to - from) * i as f32 / 20_000.0)
    }

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        for x in grid(-80.0, 80.0) {
            let exact = f64::from(x).exp();
            // SAFETY: a vector of one lane needs nothing.
            let y = unsafe { exp(x) };
            assert!((f64::from(y) - exact).abs() <= exact * 2.5e-7, "exp({x})");
        }
        assert!(unsafe { exp(-1000.0f32) } < 1e-37);
    }

    #[test]
    fn erf_is_within_a_millionth() {
        for x in grid(-6.0, 6.0) {
            // SAFETY: a vector of one lane needs nothing.
            let y = unsafe { erf(x) };
            assert!((f64::from(y) - erf_series(f64::from(x))).abs() < 1e-6, "erf({x})");
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
    fn gates_equal_their_definitions() {
        for x in grid(-12.0, 12.0) {
            // SAFETY: a vector of one lane needs nothing.
            let (gelu, silu) = unsafe { (gelu_tanh_of(x), gated_by(x, -x)) };
            let v = f64::from(x);
            let u = (2.0 / std::f64::consts::PI).sqrt() * (v + 0.044_715 * v.powi(3));
            assert!((f64::from(gelu) - 0.5 * v * (1.0 + u.tanh())).abs() < 2e-6, "gelu_tanh({x})");
            assert!((f64::from(silu) - v / (1.0 + (-v).exp())).abs() < 2e-6, "silu({x})");
        }
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

    #[test]
    fn every_vector_computes_what_one_lane_does() {
        for len in [1, 15, 16, 37, 2000] {
            let row: Vec<f32> = (0..len).map(|i| (i as f32 * 0.73).sin() * 5.0).collect();
            let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 2e-6 * (1.0 + b.abs()));
            let (mut plain, mut sums) = (row.clone(), row.clone());
            let (mut tanh, mut gate) = (row.clone(), row.clone());
            // SAFETY: a vector of one lane needs nothing.
            let sum = unsafe {
                gelu_kernel::<f32>(&mut plain);
                gelu_tanh_kernel::<f32>(&mut tanh);
                silu_kernel::<f32>(&mut gate);
                exp_row_kernel::<f32>(&mut sums, 0.3)
            };
            let log = unsafe { log_sum_exp_kernel::<f32>(&row) };
            versions!(V => {
                let (mut values, mut exps) = (row.clone(), row.clone());
                gelu_kernel::<V>(&mut values);
                assert!(close(&values, &plain), "gelu of {len}");
                let (mut values, mut gates) = (row.clone(), row.clone());
                gelu_tanh_kernel::<V>(&mut values);
                silu_kernel::<V>(&mut gates);
                assert!(close(&values, &tanh) && close(&gates, &gate), "gates of {len}");
                multiply_kernel::<V>(&mut gates, &row);
                assert!(gates.iter().zip(&gate).zip(&row).all(|((a, b), c)| (a - b * c).abs() <= 2e-5), "product {len}");
                assert!(close(&[exp_row_kernel::<V>(&mut exps, 0.3)], &[sum]) && close(&exps, &sums), "exp of {len}");
                assert!(close(&[log_sum_exp_kernel::<V>(&row)], &[log]), "log of {len}");
                let (mut added, mut scaled) = (row.clone(), row.clone());
                add_kernel::<V>(&mut added, &row);
                scale_row_kernel::<V>(&mut scaled, 2.0);
                assert_eq!(added, scaled);
            });
        }
    }
}

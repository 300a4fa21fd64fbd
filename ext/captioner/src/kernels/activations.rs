//! Activations of language models, over vectors: SiLU, alone and as a gate, and GELU by its tanh approximation.

use super::elementwise::{exp, map};
use super::simd::{dispatched, Vector};

/// `x / (1 + exp(-x))`.
#[inline(always)]
pub(super) unsafe fn silu_of<V: Vector>(x: V) -> V {
    let (zero, one) = (V::splat(0.0), V::splat(1.0));
    x.div(exp(zero.sub(x)).add(one))
}

/// `x / 2 * (1 + tanh(u))` for `u = sqrt(2 / pi) * (x + 0.044715 x^3)`, as `x / (1 + exp(-2 u))`, which is the same.
#[inline(always)]
pub(super) unsafe fn gelu_tanh_of<V: Vector>(x: V) -> V {
    const MINUS_TWICE: f32 = -1.595_769_1;
    let (one, cubic) = (V::splat(1.0), V::splat(0.044_715));
    let u = x.mul(x).mul(cubic).mul_add(x, x);
    x.div(exp(u.mul(V::splat(MINUS_TWICE))).add(one))
}

dispatched! {
    /// SiLU, in place.
    pub fn silu(values: &mut [f32]) = silu_kernel
}

#[inline(always)]
unsafe fn silu_kernel<V: Vector>(values: &mut [f32]) {
    map::<V>(values, |v| silu_of(v), |v| silu_of(v));
}

dispatched! {
    /// GELU by its tanh approximation (`gelu_pytorch_tanh`, `gelu_new`), in place.
    pub fn gelu_tanh(values: &mut [f32]) = gelu_tanh_kernel
}

#[inline(always)]
unsafe fn gelu_tanh_kernel<V: Vector>(values: &mut [f32]) {
    map::<V>(values, |v| gelu_tanh_of(v), |v| gelu_tanh_of(v));
}

dispatched! {
    /// A gated product: `gate = silu(gate) * up`.
    ///
    /// # Panics
    /// If they differ in length.
    pub fn silu_product(gate: &mut [f32], up: &[f32]) = silu_product_kernel
}

#[inline(always)]
unsafe fn silu_product_kernel<V: Vector>(gate: &mut [f32], up: &[f32]) {
    assert_eq!(gate.len(), up.len(), "a gate of another length than what it gates");
    let whole = gate.len() / V::LANES * V::LANES;
    for i in (0..whole).step_by(V::LANES) {
        let at = gate.as_mut_ptr().add(i);
        silu_of(V::load(at)).mul(V::load(up.as_ptr().add(i))).store(at);
    }
    gate[whole..].iter_mut().zip(&up[whole..]).for_each(|(gate, up)| *gate = silu_of(*gate) * up);
}

#[cfg(test)]
mod tests {
    use super::super::simd::tests::versions;
    use super::*;

    fn row(len: usize) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * 0.37).sin() * 12.0).collect()
    }

    #[test]
    fn every_vector_follows_the_definitions() {
        let silu = |x: f32| f64::from(x) / (1.0 + (-f64::from(x)).exp());
        let gelu = |x: f32| {
            let x = f64::from(x);
            x / 2.0 * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh())
        };
        for len in [1, 7, 16, 37, 1000] {
            let (x, up) = (row(len), row(len + 3)[3..].to_vec());
            versions!(V => {
                let (mut silus, mut gelus, mut products) = (x.clone(), x.clone(), x.clone());
                silu_kernel::<V>(&mut silus);
                gelu_tanh_kernel::<V>(&mut gelus);
                silu_product_kernel::<V>(&mut products, &up);
                for i in 0..len {
                    let close = |ours: f32, exact: f64| (f64::from(ours) - exact).abs() < 2e-6 * (1.0 + exact.abs());
                    assert!(close(silus[i], silu(x[i])), "silu({})", x[i]);
                    assert!(close(gelus[i], gelu(x[i])), "gelu({})", x[i]);
                    assert!(close(products[i], silu(x[i]) * f64::from(up[i])), "gate {}", x[i]);
                }
            });
        }
    }

    #[test]
    fn far_out_they_are_zero_or_the_number_itself() {
        let mut values = [-1e4, -200.0, 200.0, 1e4];
        silu(&mut values);
        assert!(values[..2].iter().all(|v| v.abs() < 1e-30) && values[2..] == [200.0, 1e4]);
        let mut values = [-1e4, -50.0, 50.0, 1e4];
        gelu_tanh(&mut values);
        assert!(values[..2].iter().all(|v| v.abs() < 1e-30) && values[2..] == [50.0, 1e4]);
    }
}

//! The end of a tile in AVX-512: scale, bias, activation, store.

use std::arch::x86_64::*;

use super::{Output, LINES};
use crate::kernels::epilogue::Epilogue;

/// What belongs to the features of a panel, in registers.
pub struct Columns {
    scales: [__m512; LINES],
    bias: [__m512; LINES],
    /// Which of the features there are.
    there: [__mmask16; LINES],
}

impl Columns {
    /// For `scales` of a whole panel.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn new(scales: &[f32], output: &Output) -> Self {
        let there = |line: usize| {
            let left = output.width.saturating_sub(16 * line);
            if left >= 16 {
                !0
            } else {
                (1 << left) - 1
            }
        };
        Self {
            scales: std::array::from_fn(|line| _mm512_loadu_ps(scales.as_ptr().add(16 * line))),
            bias: std::array::from_fn(|line| _mm512_loadu_ps(output.bias.as_ptr().add(16 * line))),
            there: std::array::from_fn(there),
        }
    }
}

/// Writes `sums * scales + bias` through the epilogue to row `row`, to the features of `N` lines of the panel from line `first` on.
#[inline]
#[target_feature(enable = "avx512f")]
pub unsafe fn finish<const N: usize>(
    sums: [__m512; N],
    row: usize,
    first: usize,
    columns: &Columns,
    output: &mut Output,
) {
    let out = output.out.as_mut_ptr().add(row * output.stride + output.first);
    for (line, sums) in (first..).zip(sums) {
        let (out, there) = (out.add(16 * line), columns.there[line]);
        let value = _mm512_fmadd_ps(sums, columns.scales[line], columns.bias[line]);
        let value = match output.epilogue {
            Epilogue::Store => value,
            Epilogue::Relu => _mm512_max_ps(value, _mm512_setzero_ps()),
            Epilogue::Gelu => gated(value, &PHI),
            Epilogue::GeluTanh => gated(value, &PHI_TANH),
            Epilogue::Silu => silu(value),
            Epilogue::Add => _mm512_add_ps(value, _mm512_maskz_loadu_ps(there, out)),
            Epilogue::Multiply => _mm512_mul_ps(value, _mm512_maskz_loadu_ps(there, out)),
        };
        _mm512_mask_storeu_ps(out, there, value);
    }
}

/// Where the polynomials of [`gated`] reach one.
const END: f32 = 3.9;

/// `Φ(END * t) = 0.5 + t * P(t²)` on -1..=1: a minimax fit of `x * Φ(x)`, with `P(1) = 0.5`.
const PHI: [f32; 7] = [1.554_146_9, -3.873_343_5, 8.185_757, -11.977_842, 11.240_442, -6.004_211_4, 1.375_051_3];

/// The same for GELU's approximation with tanh, `Φ(x) = (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`.
const PHI_TANH: [f32; 7] = [1.552_020_2, -3.852_702_1, 8.108_043, -11.810_201, 11.023_694, -5.852_164, 1.331_310_9];

/// `x * Φ(x)`, which is GELU, within 2e-4: a tenth of what rounding its result to bf16 or int8 does, and no division.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn gated(x: __m512, phi: &[f32; 7]) -> __m512 {
    let one = _mm512_set1_ps(1.0);
    let t = _mm512_mul_ps(x, _mm512_set1_ps(1.0 / END));
    let t = _mm512_min_ps(_mm512_max_ps(t, _mm512_sub_ps(_mm512_setzero_ps(), one)), one);
    let u = _mm512_mul_ps(t, t);
    let mut p = _mm512_set1_ps(phi[phi.len() - 1]);
    for coefficient in phi[..phi.len() - 1].iter().rev() {
        p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(*coefficient));
    }
    _mm512_mul_ps(x, _mm512_fmadd_ps(t, p, _mm512_set1_ps(0.5)))
}

/// `2^f` on -0.5..=0.5 within 3e-6 of itself, a minimax fit.
const POWER: [f32; 5] = [0.999_999_3, 0.693_121_8, 0.240_247_44, 0.055_917_86, 0.009_570_102];

/// `x / (1 + exp(-x))` within 7e-5 of itself, by an approximate reciprocal.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn silu(x: __m512) -> __m512 {
    let t = _mm512_mul_ps(x, _mm512_set1_ps(-std::f32::consts::LOG2_E));
    let whole = _mm512_roundscale_ps::<0>(t);
    let f = _mm512_sub_ps(t, whole);
    let mut p = _mm512_set1_ps(POWER[POWER.len() - 1]);
    for coefficient in POWER[..POWER.len() - 1].iter().rev() {
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(*coefficient));
    }
    let below = _mm512_add_ps(_mm512_scalef_ps(p, whole), _mm512_set1_ps(1.0));
    _mm512_mul_ps(x, _mm512_rcp14_ps(below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::elementwise;
    use crate::kernels::isa::Isa;

    #[test]
    fn activations_are_close() {
        if Isa::available().iter().all(|isa| *isa < Isa::Avx512) {
            return;
        }
        for i in -1000..1000 {
            let x: [f32; 16] = std::array::from_fn(|lane| (16 * i + lane as i32) as f32 * 6e-4);
            let (mut ours, mut exact) = ([x; 3], [x; 3]);
            // SAFETY: the processor has AVX-512, see above.
            unsafe {
                let v = _mm512_loadu_ps(x.as_ptr());
                let values = [gated(v, &PHI), gated(v, &PHI_TANH), silu(v)];
                ours.iter_mut().zip(values).for_each(|(out, v)| _mm512_storeu_ps(out.as_mut_ptr(), v));
            }
            elementwise::gelu(&mut exact[0]);
            elementwise::gelu_tanh(&mut exact[1]);
            elementwise::silu(&mut exact[2]);
            for lane in 0..16 {
                for (which, (ours, exact)) in ours.iter().zip(&exact).enumerate().take(2) {
                    assert!((ours[lane] - exact[lane]).abs() < 2e-4, "{which} of {}", x[lane]);
                }
                assert!((ours[2][lane] - exact[2][lane]).abs() <= exact[2][lane].abs() * 7e-5, "silu of {}", x[lane]);
            }
        }
        // Far outside, where e^-x overflows.
        for (x, expected) in [(-200.0, 0.0), (200.0, 200.0), (0.0, 0.0)] {
            // SAFETY: as above.
            let lanes = unsafe { std::mem::transmute::<__m512, [f32; 16]>(silu(_mm512_set1_ps(x))) };
            assert!((lanes[0] - expected).abs() <= 0.02, "silu({x}) is {}", lanes[0]);
        }
    }
}

//! The end of a tile in AVX-512: scale, bias, activation, store.

use std::arch::x86_64::*;

use super::{Output, LINES};
use crate::kernels::activations::{gelu_tanh_of, silu_of};
use crate::kernels::matmul::Epilogue;

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

/// Writes `sums * scales + bias` through the epilogue to the panel's features of row `row`.
#[inline]
#[target_feature(enable = "avx512f")]
pub unsafe fn finish(sums: [__m512; LINES], row: usize, columns: &Columns, output: &mut Output) {
    let out = output.out.as_mut_ptr().add(row * output.stride + output.first);
    for (line, sums) in sums.into_iter().enumerate() {
        let (out, there) = (out.add(16 * line), columns.there[line]);
        let value = _mm512_fmadd_ps(sums, columns.scales[line], columns.bias[line]);
        let value = match output.epilogue {
            Epilogue::Store => value,
            Epilogue::Relu => _mm512_max_ps(value, _mm512_setzero_ps()),
            Epilogue::Gelu => gelu(value),
            Epilogue::GeluTanh => gelu_tanh_of(value),
            Epilogue::Silu => silu_of(value),
            Epilogue::Add => _mm512_add_ps(value, _mm512_maskz_loadu_ps(there, out)),
        };
        _mm512_mask_storeu_ps(out, there, value);
    }
}

/// Where the polynomial of [`gelu`] reaches one.
const END: f32 = 3.9;

/// `Φ(END * t) = 0.5 + t * P(t²)` on -1..=1: a minimax fit of `x * Φ(x)`, with `P(1) = 0.5`.
const PHI: [f32; 7] = [1.554_146_9, -3.873_343_5, 8.185_757, -11.977_842, 11.240_442, -6.004_211_4, 1.375_051_3];

/// GELU within 2e-4: a tenth of what rounding its result to bf16 or int8 does, and no division.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn gelu(x: __m512) -> __m512 {
    let one = _mm512_set1_ps(1.0);
    let t = _mm512_mul_ps(x, _mm512_set1_ps(1.0 / END));
    let t = _mm512_min_ps(_mm512_max_ps(t, _mm512_sub_ps(_mm512_setzero_ps(), one)), one);
    let u = _mm512_mul_ps(t, t);
    let mut p = _mm512_set1_ps(PHI[PHI.len() - 1]);
    for coefficient in PHI[..PHI.len() - 1].iter().rev() {
        p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(*coefficient));
    }
    _mm512_mul_ps(x, _mm512_fmadd_ps(t, p, _mm512_set1_ps(0.5)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::elementwise;
    use crate::kernels::isa::Isa;

    #[test]
    fn gelu_is_close() {
        if Isa::available().iter().all(|isa| *isa < Isa::Avx512) {
            return;
        }
        for i in -1000..1000 {
            let x: [f32; 16] = std::array::from_fn(|lane| (16 * i + lane as i32) as f32 * 6e-4);
            let (mut ours, mut exact) = (x, x);
            // SAFETY: the processor has AVX-512, see above.
            unsafe { _mm512_storeu_ps(ours.as_mut_ptr(), gelu(_mm512_loadu_ps(x.as_ptr()))) };
            elementwise::gelu(&mut exact);
            for lane in 0..16 {
                assert!((ours[lane] - exact[lane]).abs() < 2e-4, "gelu({})", x[lane]);
            }
        }
    }
}

//! One row, or one block of it, rounded to int8.

use crate::kernels::isa::Isa;

/// Rounds one row and gives its scale and the sum of its codes.
pub fn round_row(isa: Isa, x: &[f32], codes: &mut [i8]) -> (f32, i32) {
    assert_eq!(x.len(), codes.len());
    match isa {
        // SAFETY: the set is only chosen where the processor has it.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Bf16 => unsafe { avx512(x, codes) },
        _ => portable(x, codes),
    }
}

/// Scale and its inverse for a row with this largest magnitude. A row of zeros has scale zero and codes zero.
fn scales(largest: f32) -> (f32, f32) {
    (largest / 127.0, if largest > 0.0 { 127.0 / largest } else { 0.0 })
}

fn portable(x: &[f32], codes: &mut [i8]) -> (f32, i32) {
    let (scale, inverse) = scales(x.iter().fold(0.0, |largest, v| v.abs().max(largest)));
    let mut sum = 0;
    for (code, v) in codes.iter_mut().zip(x) {
        // Adding and taking off 1.5 * 2^23 rounds to the nearest integer, ties to even, as the vector instructions do.
        let rounded = (v * inverse + 12_582_912.0) - 12_582_912.0;
        *code = rounded as i8;
        sum += i32::from(*code);
    }
    (scale, sum)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn avx512(x: &[f32], codes: &mut [i8]) -> (f32, i32) {
    use std::arch::x86_64::*;
    let part = |at: usize| if x.len() - at >= 16 { !0u16 } else { (1u16 << (x.len() - at)) - 1 };
    let mut largest = _mm512_setzero_ps();
    for at in (0..x.len()).step_by(16) {
        let v = _mm512_maskz_loadu_ps(part(at), x.as_ptr().add(at));
        largest = _mm512_max_ps(largest, _mm512_abs_ps(v));
    }
    let (scale, inverse) = scales(_mm512_reduce_max_ps(largest));
    let inverse = _mm512_set1_ps(inverse);
    let mut sum = _mm512_setzero_si512();
    for at in (0..x.len()).step_by(16) {
        let v = _mm512_maskz_loadu_ps(part(at), x.as_ptr().add(at));
        let code = _mm512_cvtps_epi32(_mm512_mul_ps(v, inverse));
        sum = _mm512_add_epi32(sum, code);
        _mm512_mask_cvtsepi32_storeu_epi8(codes.as_mut_ptr().add(at).cast(), part(at), code);
    }
    (scale, _mm512_reduce_add_epi32(sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::values;

    #[test]
    fn instruction_sets_agree() {
        for isa in Isa::available() {
            let x = values(1031, 9);
            let (mut ours, mut twin) = (vec![0; x.len()], vec![0; x.len()]);
            assert_eq!(round_row(isa, &x, &mut ours), portable(&x, &mut twin));
            assert_eq!(ours, twin);
        }
    }

    #[test]
    fn zeros_stay_zeros() {
        for isa in Isa::available() {
            let mut codes = [1; 20];
            assert_eq!(round_row(isa, &[0.0; 20], &mut codes), (0.0, 0));
            assert_eq!(codes, [0; 20]);
        }
    }
}

//! One row, or one block of it, rounded to int8.

use crate::kernels::isa::Isa;

/// Rounds one row and gives its scale and the sum of its codes.
pub fn round_row(isa: Isa, x: &[f32], codes: &mut [i8]) -> (f32, i32) {
    assert_eq!(x.len(), codes.len());
    match isa {
        // SAFETY: the set is only chosen where the processor has it.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Bf16 => unsafe { avx512(x, codes) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::Avx2Vnni => unsafe { avx2(x, codes) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon | Isa::NeonDot | Isa::NeonI8mm => unsafe { neon(x, codes) },
        _ => portable(x, codes),
    }
}

/// Scale and its inverse for a row with this largest magnitude. A row of zeros has scale zero and codes zero.
fn scales(largest: f32) -> (f32, f32) {
    (largest / 127.0, if largest > 0.0 { 127.0 / largest } else { 0.0 })
}

fn portable(x: &[f32], codes: &mut [i8]) -> (f32, i32) {
    let (scale, inverse) = scales(largest(x, 0.0));
    (scale, round(x, inverse, codes))
}

/// The largest magnitude, `floor` at least.
fn largest(x: &[f32], floor: f32) -> f32 {
    x.iter().fold(floor, |largest, v| v.abs().max(largest))
}

/// Writes the codes and gives their sum.
fn round(x: &[f32], inverse: f32, codes: &mut [i8]) -> i32 {
    let mut sum = 0;
    for (code, v) in codes.iter_mut().zip(x) {
        // Adding and taking off 1.5 * 2^23 rounds to the nearest integer, ties to even, as the vector instructions do.
        let rounded = (v * inverse + 12_582_912.0) - 12_582_912.0;
        *code = rounded as i8;
        sum += i32::from(*code);
    }
    sum
}

/// Takes whole registers of eight; the rest is [`portable`], whose scale must be the whole row's.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(x: &[f32], codes: &mut [i8]) -> (f32, i32) {
    use std::arch::x86_64::*;
    let whole = x.len() / 8 * 8;
    let magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(i32::MAX));
    let mut lanes = _mm256_setzero_ps();
    for at in (0..whole).step_by(8) {
        lanes = _mm256_max_ps(_mm256_and_ps(_mm256_loadu_ps(x.as_ptr().add(at)), magnitude), lanes);
    }
    let lanes = std::mem::transmute::<__m256, [f32; 8]>(lanes);
    let (scale, inverse) = scales(largest(&x[whole..], lanes.iter().fold(0.0, |a, b| b.max(a))));
    let (factor, mut sums) = (_mm256_set1_ps(inverse), _mm256_setzero_si256());
    for at in (0..whole).step_by(8) {
        let code = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x.as_ptr().add(at)), factor));
        sums = _mm256_add_epi32(sums, code);
        let words = _mm_packs_epi32(_mm256_castsi256_si128(code), _mm256_extracti128_si256::<1>(code));
        _mm_storel_epi64(codes.as_mut_ptr().add(at).cast(), _mm_packs_epi16(words, words));
    }
    let sum = std::mem::transmute::<__m256i, [i32; 8]>(sums).iter().sum::<i32>();
    (scale, sum + round(&x[whole..], inverse, &mut codes[whole..]))
}

/// As above.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
unsafe fn neon(x: &[f32], codes: &mut [i8]) -> (f32, i32) {
    use std::arch::aarch64::*;
    let whole = x.len() / 8 * 8;
    let mut lanes = [vdupq_n_f32(0.0); 2];
    for at in (0..whole).step_by(8) {
        for (part, lanes) in lanes.iter_mut().enumerate() {
            *lanes = vmaxnmq_f32(vabsq_f32(vld1q_f32(x.as_ptr().add(at + 4 * part))), *lanes);
        }
    }
    let (scale, inverse) = scales(largest(&x[whole..], vmaxnmvq_f32(vmaxnmq_f32(lanes[0], lanes[1]))));
    let mut sums = vdupq_n_s32(0);
    for at in (0..whole).step_by(8) {
        let code = [0, 4].map(|part| vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x.as_ptr().add(at + part)), inverse)));
        sums = vaddq_s32(sums, vaddq_s32(code[0], code[1]));
        let words = vcombine_s16(vqmovn_s32(code[0]), vqmovn_s32(code[1]));
        vst1_s8(codes.as_mut_ptr().add(at), vqmovn_s16(words));
    }
    (scale, vaddvq_s32(sums) + round(&x[whole..], inverse, &mut codes[whole..]))
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

//! Rows rounded to int8 in blocks of 64.

use super::rows::round_row;
use crate::kernels::isa::Isa;
use crate::kernels::matrix::ActivationScales;

/// Values that share a scale.
const BLOCK: usize = ActivationScales::BLOCK;

/// As [`round_row`], each [`ActivationScales::BLOCK`] for itself; gives every block's scale and sum to `add`.
pub fn round_blocks(isa: Isa, x: &[f32], codes: &mut [i8], mut add: impl FnMut((f32, i32))) {
    assert_eq!(x.len(), codes.len());
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
    let (mut x, mut codes) = (x, codes);
    #[cfg(target_arch = "x86_64")]
    while isa >= Isa::Avx512 && x.len() >= BLOCK {
        let count = (x.len() / BLOCK).min(avx512::MOST);
        let (now, later) = x.split_at(count * BLOCK);
        let (out, rest) = codes.split_at_mut(count * BLOCK);
        // SAFETY: the set is only chosen where the processor has it; there are as many values and codes.
        let (scales, sums) = unsafe { avx512::round(now.as_ptr(), count, out.as_mut_ptr()) };
        (0..count).for_each(|i| add((scales[i], sums[i])));
        (x, codes) = (later, rest);
    }
    let blocks = x.chunks(BLOCK).zip(codes.chunks_mut(BLOCK));
    blocks.for_each(|(x, codes)| add(round_row(isa, x, codes)));
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::BLOCK;

    /// Blocks that are worked off together, a lane for each: what would cross the lanes is transposed instead.
    pub const MOST: usize = 16;

    /// Rounds `count` whole blocks; gives their scales and sums.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
    pub unsafe fn round(x: *const f32, count: usize, codes: *mut i8) -> ([f32; MOST], [i32; MOST]) {
        let mut largest = [_mm512_setzero_ps(); MOST];
        for (block, largest) in largest.iter_mut().enumerate().take(count) {
            let value = |i: usize| _mm512_abs_ps(_mm512_loadu_ps(x.add(block * BLOCK + 16 * i)));
            *largest = _mm512_max_ps(_mm512_max_ps(value(0), value(1)), _mm512_max_ps(value(2), value(3)));
        }
        let largest = across(largest, |a, b| _mm512_max_ps(a, b));
        let most = _mm512_set1_ps(127.0);
        let some = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(largest, _mm512_setzero_ps());
        let (mut scales, mut inverses) = ([0f32; MOST], [0f32; MOST]);
        _mm512_storeu_ps(scales.as_mut_ptr(), _mm512_div_ps(largest, most));
        _mm512_storeu_ps(inverses.as_mut_ptr(), _mm512_maskz_div_ps(some, most, largest));
        let (mut sums, ones) = ([_mm512_setzero_ps(); MOST], _mm512_set1_epi8(1));
        for (block, sum) in sums.iter_mut().enumerate().take(count) {
            let inverse = _mm512_set1_ps(inverses[block]);
            let codes = codes.add(block * BLOCK);
            for i in 0..4 {
                let value = _mm512_loadu_ps(x.add(block * BLOCK + 16 * i));
                let code = _mm512_cvtps_epi32(_mm512_mul_ps(value, inverse));
                _mm_storeu_si128(codes.add(16 * i).cast(), _mm512_cvtsepi32_epi8(code));
            }
            let lanes = _mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, _mm512_loadu_si512(codes.cast()));
            *sum = _mm512_castsi512_ps(lanes);
        }
        let add = |a, b| _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
        let mut whole = [0i32; MOST];
        _mm512_storeu_si512(whole.as_mut_ptr().cast(), _mm512_castps_si512(across(sums, add)));
        (scales, whole)
    }

    /// Lane `i` of the result is what `both` makes of all lanes of `rows[i]`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn across(rows: [__m512; 16], both: impl Fn(__m512, __m512) -> __m512) -> __m512 {
        // Each step puts halves of the lanes of two vectors side by side, first within 128 bits, then these.
        let four = |q: usize| {
            let pair = |a: __m512, b: __m512| both(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let (ab, cd) = (pair(rows[4 * q], rows[4 * q + 1]), pair(rows[4 * q + 2], rows[4 * q + 3]));
            both(_mm512_shuffle_ps::<0x44>(ab, cd), _mm512_shuffle_ps::<0xEE>(ab, cd))
        };
        let halves =
            |a: __m512, b: __m512| both(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xDD>(a, b));
        halves(halves(four(0), four(1)), halves(four(2), four(3)))
    }
}

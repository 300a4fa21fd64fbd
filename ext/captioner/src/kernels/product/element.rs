//! The numbers that a right operand may be stored in.

#[cfg(target_arch = "aarch64")]
use std::arch::aarch64::*;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use half::f16;

/// A number that is widened to `f32` as it is loaded.
pub trait Element: Copy {
    /// The same number.
    fn widen(self) -> f32;

    /// The lanes of the mask; the others are zero.
    ///
    /// # Safety
    /// The CPU has AVX-512 (F, BW, VL), and there are numbers at the address for all lanes of the mask.
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx512(from: *const Self, lanes: __mmask16) -> __m512;

    /// Eight of them.
    ///
    /// # Safety
    /// The CPU has AVX2 and F16C, and there are eight numbers at the address.
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx2(from: *const Self) -> __m256;

    /// The first `lanes` of eight; the others are zero.
    ///
    /// # Safety
    /// The CPU has AVX2 and F16C, and there are `lanes` numbers at the address.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn avx2_part(from: *const Self, lanes: usize) -> __m256 {
        let mut values = [0f32; 8];
        values.iter_mut().enumerate().take(lanes).for_each(|(i, value)| *value = (*from.add(i)).widen());
        _mm256_loadu_ps(values.as_ptr())
    }

    /// Four of them.
    ///
    /// # Safety
    /// There are four numbers at the address.
    #[cfg(target_arch = "aarch64")]
    unsafe fn neon(from: *const Self) -> float32x4_t;
}

impl Element for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn avx512(from: *const Self, lanes: __mmask16) -> __m512 {
        _mm512_maskz_loadu_ps(lanes, from)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn avx2(from: *const Self) -> __m256 {
        _mm256_loadu_ps(from)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn avx2_part(from: *const Self, lanes: usize) -> __m256 {
        let counts = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes as i32), counts))
    }

    #[cfg(target_arch = "aarch64")]
    #[inline(always)]
    unsafe fn neon(from: *const Self) -> float32x4_t {
        vld1q_f32(from)
    }
}

impl Element for f16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self.to_f32()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn avx512(from: *const Self, lanes: __mmask16) -> __m512 {
        _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes, from.cast()))
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn avx2(from: *const Self) -> __m256 {
        _mm256_cvtph_ps(_mm_loadu_si128(from.cast()))
    }

    #[cfg(target_arch = "aarch64")]
    #[inline(always)]
    unsafe fn neon(from: *const Self) -> float32x4_t {
        crate::kernels::neon::widen(vld1_u16(from.cast()))
    }
}

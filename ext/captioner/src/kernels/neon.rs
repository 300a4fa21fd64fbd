//! NEON instructions that several kernels share. Those for int8 products are written out, as the compiler has no stable names
//! for them.

use std::arch::aarch64::*;
use std::arch::asm;

/// Four f16, given as their bits, in `f32`.
///
/// # Safety
/// None of its own: every 64-bit ARM processor has the instruction.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn widen(bits: uint16x4_t) -> float32x4_t {
    let wide: float32x4_t;
    asm!("fcvtl {wide:v}.4s, {bits:v}.4h", wide = out(vreg) wide, bits = in(vreg) bits,
        options(pure, nomem, nostack, preserves_flags));
    wide
}

/// Sums of four products each: `sums[i] += Σ a[4 i + j] * b[4 i + j]`.
///
/// # Safety
/// The CPU has `dotprod`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub unsafe fn dot(mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    asm!("sdot {sums:v}.4s, {a:v}.16b, {b:v}.16b", sums = inout(vreg) sums, a = in(vreg) a, b = in(vreg) b,
        options(pure, nomem, nostack, preserves_flags));
    sums
}

/// As [`dot`] with instructions that every processor has.
///
/// # Safety
/// None of its own.
#[inline]
#[target_feature(enable = "neon")]
pub unsafe fn dot_of_products(sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    let low = vpaddlq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    let high = vpaddlq_s16(vmull_high_s8(a, b));
    vaddq_s32(sums, vpaddq_s32(low, high))
}

/// Products of two rows of eight unsigned with two rows of eight signed values: adds
/// `[a0·b0, a0·b1, a1·b0, a1·b1]` to `sums`.
///
/// # Safety
/// The CPU has `i8mm`.
#[inline]
#[target_feature(enable = "neon,i8mm")]
pub unsafe fn square(mut sums: int32x4_t, a: uint8x16_t, b: int8x16_t) -> int32x4_t {
    asm!("usmmla {sums:v}.4s, {a:v}.16b, {b:v}.16b", sums = inout(vreg) sums, a = in(vreg) a, b = in(vreg) b,
        options(pure, nomem, nostack, preserves_flags));
    sums
}

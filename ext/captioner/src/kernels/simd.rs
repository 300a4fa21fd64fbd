//! Vectors of `f32`, so that a kernel is written once and compiled for every set of instructions.
//!
//! A kernel is a generic function over [`Vector`], always inlined; [`dispatched`] makes the function that callers see, which
//! picks the widest vector of the CPU at hand. The end of a slice, and what the tests compare with, is the kernel over
//! `f32`, a vector of one lane.

/// Some `f32` side by side.
///
/// # Safety
/// The methods of a type that stands for a register must only be called where the CPU has such registers: from a function
/// of [`dispatched`], into which they are inlined. `load` and `store` need `LANES` values at the address.
pub trait Vector: Copy {
    const LANES: usize;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// `self * factor + addend`, rounded once where the CPU can.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// The larger of the two; `self` if that is not a number.
    unsafe fn at_least(self, floor: Self) -> Self;
    /// The smaller of the two; `self` if that is not a number.
    unsafe fn at_most(self, ceiling: Self) -> Self;
    /// `2^n` for lanes that hold `n + 1.5 * 2^23`: the integer `n` lies in their lowest bits.
    unsafe fn power_of_two(self) -> Self;
    unsafe fn sum(self) -> f32;
    unsafe fn max(self) -> f32;
}

impl Vector for f32 {
    const LANES: usize = 1;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        value
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        *from
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        *to = self;
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self + other
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self - other
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self * other
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self / other
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        self * factor + addend
    }
    #[inline(always)]
    unsafe fn at_least(self, floor: Self) -> Self {
        if floor > self {
            floor
        } else {
            self
        }
    }
    #[inline(always)]
    unsafe fn at_most(self, ceiling: Self) -> Self {
        if ceiling < self {
            ceiling
        } else {
            self
        }
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        f32::from_bits((self.to_bits() << 23).wrapping_add(1f32.to_bits()))
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        self
    }
    #[inline(always)]
    unsafe fn max(self) -> f32 {
        self
    }
}

/// Eight lanes in plain Rust, which the compiler turns into the vectors that every CPU of the target has.
#[derive(Clone, Copy)]
pub struct Plain([f32; 8]);

impl Plain {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Vector for Plain {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 8])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(from.cast::<[f32; 8]>().read_unaligned())
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        to.cast::<[f32; 8]>().write_unaligned(self.0);
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // Every 64-bit ARM processor has it; elsewhere it would be a call.
        if cfg!(target_arch = "aarch64") {
            return Self(std::array::from_fn(|i| self.0[i].mul_add(factor.0[i], addend.0[i])));
        }
        self.mul(factor).add(addend)
    }
    #[inline(always)]
    unsafe fn at_least(self, floor: Self) -> Self {
        self.zip(floor, |a, b| if b > a { b } else { a })
    }
    #[inline(always)]
    unsafe fn at_most(self, ceiling: Self) -> Self {
        self.zip(ceiling, |a, b| if b < a { b } else { a })
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        Self(self.0.map(|v| f32::from_bits((v.to_bits() << 23).wrapping_add(1f32.to_bits()))))
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        self.0.iter().sum()
    }
    #[inline(always)]
    unsafe fn max(self) -> f32 {
        self.0.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{__m256, __m512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    pub use std::arch::x86_64::{__m256, __m512};

    use super::Vector;

    impl Vector for __m256 {
        const LANES: usize = 8;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            _mm256_set1_ps(value)
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            _mm256_loadu_ps(from)
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            _mm256_storeu_ps(to, self);
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            _mm256_add_ps(self, other)
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            _mm256_sub_ps(self, other)
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            _mm256_mul_ps(self, other)
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            _mm256_div_ps(self, other)
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            _mm256_fmadd_ps(self, factor, addend)
        }
        // Of two operands of which one is not a number, the instructions give the second.
        #[inline(always)]
        unsafe fn at_least(self, floor: Self) -> Self {
            _mm256_max_ps(floor, self)
        }
        #[inline(always)]
        unsafe fn at_most(self, ceiling: Self) -> Self {
            _mm256_min_ps(ceiling, self)
        }
        #[inline(always)]
        unsafe fn power_of_two(self) -> Self {
            let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(self));
            _mm256_castsi256_ps(_mm256_add_epi32(exponent, _mm256_castps_si256(_mm256_set1_ps(1.0))))
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            std::mem::transmute::<Self, [f32; 8]>(self).iter().sum()
        }
        #[inline(always)]
        unsafe fn max(self) -> f32 {
            let lanes = std::mem::transmute::<Self, [f32; 8]>(self);
            lanes.into_iter().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a })
        }
    }

    impl Vector for __m512 {
        const LANES: usize = 16;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            _mm512_set1_ps(value)
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            _mm512_loadu_ps(from)
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            _mm512_storeu_ps(to, self);
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            _mm512_add_ps(self, other)
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            _mm512_sub_ps(self, other)
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            _mm512_mul_ps(self, other)
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            _mm512_div_ps(self, other)
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            _mm512_fmadd_ps(self, factor, addend)
        }
        #[inline(always)]
        unsafe fn at_least(self, floor: Self) -> Self {
            _mm512_max_ps(floor, self)
        }
        #[inline(always)]
        unsafe fn at_most(self, ceiling: Self) -> Self {
            _mm512_min_ps(ceiling, self)
        }
        #[inline(always)]
        unsafe fn power_of_two(self) -> Self {
            let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(self));
            _mm512_castsi512_ps(_mm512_add_epi32(exponent, _mm512_castps_si512(_mm512_set1_ps(1.0))))
        }
        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            _mm512_reduce_add_ps(self)
        }
        #[inline(always)]
        unsafe fn max(self) -> f32 {
            _mm512_reduce_max_ps(self)
        }
    }
}

/// `dispatched!(pub fn name(a: A, b: B) -> R = kernel);` makes a function that runs `kernel::<V>(a, b)` with the widest `V` of
/// this CPU. In tests, the module `name` has every version by its vector.
macro_rules! dispatched {
    ($(#[$meta:meta])* pub fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? = $kernel:ident) => {
        $(#[$meta])*
        pub fn $name($($arg: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                unsafe fn avx512($($arg: $type),*) $(-> $result)? {
                    $kernel::<$crate::kernels::simd::__m512>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                unsafe fn avx2($($arg: $type),*) $(-> $result)? {
                    $kernel::<$crate::kernels::simd::__m256>($($arg),*)
                }
                // SAFETY: the CPU has what the version needs.
                match $crate::kernels::Isa::current() {
                    $crate::kernels::Isa::Portable => {}
                    isa if isa >= $crate::kernels::Isa::Avx512 => return unsafe { avx512($($arg),*) },
                    _ => return unsafe { avx2($($arg),*) },
                }
            }
            // SAFETY: nothing is needed.
            unsafe { $kernel::<$crate::kernels::simd::Plain>($($arg),*) }
        }
    };
}
pub(super) use dispatched;

#[cfg(test)]
pub mod tests {
    /// Runs a block with `V` as each vector that this machine has.
    macro_rules! versions {
        ($vector:ident => $block:block) => {{
            // SAFETY: every version runs only where the CPU has its registers.
            unsafe {
                {
                    type $vector = $crate::kernels::simd::Plain;
                    $block
                }
                #[cfg(target_arch = "x86_64")]
                {
                    if $crate::kernels::Isa::available().contains(&$crate::kernels::Isa::Avx2) {
                        type $vector = $crate::kernels::simd::__m256;
                        $block
                    }
                    if $crate::kernels::Isa::available().contains(&$crate::kernels::Isa::Avx512) {
                        type $vector = $crate::kernels::simd::__m512;
                        $block
                    }
                }
            }
        }};
    }
    pub(crate) use versions;
}

//! Values rounded to int8 on an even grid.

use crate::kernels::isa::Isa;

/// What codes stand for: `value = middle + code * step`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Grid {
    middle: f32,
    step: f32,
}

impl Grid {
    /// From -127 to 127 between the smallest and the largest value.
    fn between((smallest, largest): (f32, f32)) -> Self {
        Self { middle: 0.5 * (smallest + largest), step: (largest - smallest) / 254.0 }
    }

    /// With zero in the middle, up to the largest magnitude.
    fn around_zero((smallest, largest): (f32, f32)) -> Self {
        Self { middle: 0.0, step: largest.max(-smallest) / 127.0 }
    }

    /// What a value's distance from the middle is multiplied with; zero where there is no distance to tell.
    fn inverse(self) -> f32 {
        Some(self.step.recip()).filter(|inverse| inverse.is_finite()).unwrap_or(0.0)
    }
}

/// Rounds values to `code * step`, and gives the step and the sum of the codes. The largest magnitude has code 127.
pub fn round_row(isa: Isa, x: &[f32], codes: &mut [i8]) -> (f32, i32) {
    let (grid, sum) = round(isa, x, codes, Grid::around_zero);
    (grid.step, sum)
}

/// Rounds values to `middle + code * step`, and gives the middle, the step and the sum of the codes. The grid is as fine as
/// values between their smallest and their largest allow: where they lie on one side of zero, as after GELU, twice as fine.
pub fn round_between(isa: Isa, x: &[f32], codes: &mut [i8]) -> (f32, f32, i32) {
    let (grid, sum) = round(isa, x, codes, Grid::between);
    (grid.middle, grid.step, sum)
}

#[inline(always)]
fn round(isa: Isa, x: &[f32], codes: &mut [i8], grid: impl Fn((f32, f32)) -> Grid) -> (Grid, i32) {
    assert_eq!(x.len(), codes.len());
    match isa {
        // SAFETY: the set is only chosen where the processor has it.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Bf16 => unsafe {
            let grid = grid(avx512::extremes(x));
            (grid, avx512::codes(x, grid, codes))
        },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::Avx2Vnni => unsafe {
            let grid = grid(avx2::extremes(x));
            (grid, avx2::codes(x, grid, codes))
        },
        _ => {
            let grid = grid(portable::extremes(x));
            (grid, portable::codes(x, grid, codes))
        }
    }
}

mod portable {
    use super::Grid;

    const LANES: usize = 8;

    /// The smallest and the largest value.
    #[inline(always)]
    pub fn extremes(x: &[f32]) -> (f32, f32) {
        let (mut low, mut high) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
        let smaller = |a: f32, b: f32| if b < a { b } else { a };
        let larger = |a: f32, b: f32| if b > a { b } else { a };
        let whole = x.chunks_exact(LANES);
        for (i, v) in whole.remainder().iter().enumerate() {
            (low[i], high[i]) = (*v, *v);
        }
        for x in whole {
            for (i, v) in x.iter().enumerate() {
                (low[i], high[i]) = (smaller(low[i], *v), larger(high[i], *v));
            }
        }
        (low.into_iter().fold(f32::INFINITY, smaller), high.into_iter().fold(f32::NEG_INFINITY, larger))
    }

    /// Writes the codes and gives their sum.
    #[inline(always)]
    pub fn codes(x: &[f32], grid: Grid, codes: &mut [i8]) -> i32 {
        let inverse = grid.inverse();
        let mut sum = 0;
        for (code, v) in codes.iter_mut().zip(x) {
            // Adding 1.5 * 2^23 rounds to the nearest integer, ties to even, as the vector instructions do, and leaves it in
            // the lowest bits.
            *code = ((v - grid.middle) * inverse + 12_582_912.0).to_bits() as i8;
            sum += i32::from(*code);
        }
        sum
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{portable, Grid};

    #[target_feature(enable = "avx2")]
    pub unsafe fn extremes(x: &[f32]) -> (f32, f32) {
        portable::extremes(x)
    }

    #[target_feature(enable = "avx2")]
    pub unsafe fn codes(x: &[f32], grid: Grid, codes: &mut [i8]) -> i32 {
        portable::codes(x, grid, codes)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::Grid;

    /// Which lanes of the vector at `at` there are.
    fn part(len: usize, at: usize) -> __mmask16 {
        if len - at >= 16 {
            !0
        } else {
            (1 << (len - at)) - 1
        }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub unsafe fn extremes(x: &[f32]) -> (f32, f32) {
        let (mut low, mut high) = (_mm512_set1_ps(f32::INFINITY), _mm512_set1_ps(f32::NEG_INFINITY));
        for at in (0..x.len()).step_by(16) {
            let part = part(x.len(), at);
            let v = _mm512_maskz_loadu_ps(part, x.as_ptr().add(at));
            low = _mm512_mask_min_ps(low, part, low, v);
            high = _mm512_mask_max_ps(high, part, high, v);
        }
        (_mm512_reduce_min_ps(low), _mm512_reduce_max_ps(high))
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub unsafe fn codes(x: &[f32], grid: Grid, codes: &mut [i8]) -> i32 {
        let (middle, inverse) = (_mm512_set1_ps(grid.middle), _mm512_set1_ps(grid.inverse()));
        let mut sum = _mm512_setzero_si512();
        for at in (0..x.len()).step_by(16) {
            let part = part(x.len(), at);
            let v = _mm512_maskz_loadu_ps(part, x.as_ptr().add(at));
            let code = _mm512_maskz_cvtps_epi32(part, _mm512_mul_ps(_mm512_sub_ps(v, middle), inverse));
            sum = _mm512_add_epi32(sum, code);
            _mm512_mask_cvtsepi32_storeu_epi8(codes.as_mut_ptr().add(at).cast(), part, code);
        }
        _mm512_reduce_add_epi32(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::values;

    #[test]
    fn a_code_is_the_nearest_to_its_value() {
        for isa in Isa::available() {
            for (len, shift) in [(1, 0.0), (15, 3.0), (16, -0.9), (64, 0.5), (147, 0.0), (1000, 100.0)] {
                let x: Vec<f32> = values(len, len as u32).iter().map(|v| v + shift).collect();
                let mut codes = vec![0; len];
                let (step, sum) = round_row(isa, &x, &mut codes);
                check(&x, &codes, (0.0, step), sum);
                assert_eq!(codes.iter().map(|c| c.unsigned_abs()).max(), Some(127));
                let (middle, step, sum) = round_between(isa, &x, &mut codes);
                check(&x, &codes, (middle, step), sum);
                let ends = (codes.iter().min(), codes.iter().max());
                assert_eq!(ends, if len > 1 { (Some(&-127), Some(&127)) } else { (Some(&0), Some(&0)) });
            }
        }
    }

    fn check(x: &[f32], codes: &[i8], (middle, step): (f32, f32), sum: i32) {
        assert_eq!(codes.iter().map(|c| i32::from(*c)).sum::<i32>(), sum);
        for (value, code) in x.iter().zip(codes) {
            let error = value - (middle + f32::from(*code) * step);
            assert!(error.abs() <= step * 0.501 + 1e-5, "{value} with {code}, {step}");
        }
    }

    #[test]
    fn instruction_sets_agree() {
        for isa in Isa::available() {
            for len in [1, 7, 16, 1031] {
                let x = values(len, 9);
                let (mut ours, mut twin) = (vec![0; len], vec![0; len]);
                assert_eq!(round_row(isa, &x, &mut ours), round_row(Isa::Portable, &x, &mut twin));
                assert_eq!(ours, twin);
                assert_eq!(round_between(isa, &x, &mut ours), round_between(Isa::Portable, &x, &mut twin));
                assert_eq!(ours, twin);
            }
        }
    }

    #[test]
    fn values_without_a_range_are_their_middle() {
        for isa in Isa::available() {
            let mut codes = [1; 20];
            assert_eq!(round_row(isa, &[0.0; 20], &mut codes), (0.0, 0));
            assert_eq!(codes, [0; 20]);
            assert_eq!(round_between(isa, &[7.5; 20], &mut codes), (7.5, 0.0, 0));
            assert_eq!(codes, [0; 20]);
        }
    }
}

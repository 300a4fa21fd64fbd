//! A few rows times a line of features at a time. With AVX-VNNI as in AVX-512; without it bytes are widened to 16 bits, as
//! the byte products of AVX2 (`maddubs`) saturate.

use std::arch::x86_64::*;

use super::Activations;
use crate::kernels::panels::{Line, Output, LINES, WIDTH};

/// Rows of a tile.
const ROWS: usize = 4;

/// The loops over tiles, by a kernel for `M` rows and one line of features.
macro_rules! kernel {
    ($multiply:ident, $tile:ident, $features:literal, $line:ident) => {
        #[target_feature(enable = $features)]
        pub unsafe fn $multiply(x: &Activations, lines: &[Line], scales: &[f32], output: &mut Output) {
            for first in (0..x.scales.len()).step_by(ROWS) {
                by_rows!(x.scales.len() - first, [1 2 3] 4, $tile(x, first, lines, scales, output));
            }
        }

        #[target_feature(enable = $features)]
        unsafe fn $tile<const M: usize>(
            x: &Activations,
            first: usize,
            lines: &[Line],
            scales: &[f32],
            output: &mut Output,
        ) {
            let mut sums = [[0i32; WIDTH]; M];
            for line in 0..LINES {
                $line::<M>(x, first, lines.as_ptr().add(line), line, &mut sums);
            }
            for (row, sums) in (first..).zip(sums) {
                let (scale, offset) = (x.scales[row], x.offsets[row]);
                output.finish(row, std::array::from_fn(|i| (sums[i] + offset) as f32 * scale * scales[i]));
            }
        }
    };
}

kernel!(multiply, tile, "avx2,fma", widened);
kernel!(multiply_vnni, tile_vnni, "avx2,fma,avxvnni", dotted);

/// Every [`LINES`]-th line from `lines` on times `M` rows, by four-byte dot products.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn dotted<const M: usize>(
    x: &Activations,
    first: usize,
    lines: *const Line,
    line: usize,
    sums: &mut [[i32; WIDTH]; M],
) {
    let codes = x.codes.as_ptr().add(first * x.stride);
    let mut own = [[_mm256_setzero_si256(); 2]; M];
    for word in 0..x.stride / 4 {
        let at = lines.wrapping_add(word * LINES).cast::<__m256i>();
        let weights = [_mm256_load_si256(at), _mm256_load_si256(at.add(1))];
        for (row, own) in own.iter_mut().enumerate() {
            let a = _mm256_set1_epi32(codes.add(row * x.stride + 4 * word).cast::<i32>().read_unaligned());
            for (sum, weights) in own.iter_mut().zip(weights) {
                *sum = _mm256_dpbusd_avx_epi32(*sum, weights, a);
            }
        }
    }
    for (own, sums) in own.into_iter().zip(sums) {
        let out = sums.as_mut_ptr().add(16 * line).cast::<__m256i>();
        _mm256_storeu_si256(out, own[0]);
        _mm256_storeu_si256(out.add(1), own[1]);
    }
}

/// The same by products of 16 bits: half a line at a time becomes two registers of four features, whose sums stay in
/// halves (of values 0, 1 and 2, 3 of a word) until the end.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn widened<const M: usize>(
    x: &Activations,
    first: usize,
    lines: *const Line,
    line: usize,
    sums: &mut [[i32; WIDTH]; M],
) {
    let codes = x.codes.as_ptr().add(first * x.stride);
    for half in 0..2 {
        let mut own = [[_mm256_setzero_si256(); 2]; M];
        for word in 0..x.stride / 4 {
            let at = lines.wrapping_add(word * LINES).cast::<__m128i>().add(2 * half);
            let weights = [_mm256_cvtepu8_epi16(_mm_load_si128(at)), _mm256_cvtepu8_epi16(_mm_load_si128(at.add(1)))];
            for (row, own) in own.iter_mut().enumerate() {
                let a = codes.add(row * x.stride + 4 * word).cast::<i32>().read_unaligned();
                let a = _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(a)));
                for (sum, weights) in own.iter_mut().zip(weights) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(weights, a));
                }
            }
        }
        for (own, sums) in own.into_iter().zip(sums.iter_mut()) {
            // Adding neighbours leaves features 0 1 4 5 2 3 6 7.
            let whole = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(own[0], own[1]));
            _mm256_storeu_si256(sums.as_mut_ptr().add(16 * line + 8 * half).cast(), whole);
        }
    }
}

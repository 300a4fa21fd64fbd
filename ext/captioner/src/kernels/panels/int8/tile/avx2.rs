//! A line of features at a time, so that its words stay in the first-level cache while all rows pass. With AVX-VNNI as in
//! AVX-512; without it bytes are widened to 16 bits, as the byte products of AVX2 (`maddubs`) saturate.

use std::arch::x86_64::*;
use std::ops::Range;

use super::Activations;
use crate::kernels::panels::{Line, Output, LINES, WIDTH};

/// Rows of a tile.
const ROWS: usize = 6;

/// The loops over tiles. `$codes` gives the rows as the kernel for a tile reads them, in words of four.
macro_rules! kernel {
    ($multiply:ident, $features:literal, $codes:expr, $tile:ident) => {
        #[target_feature(enable = $features)]
        pub unsafe fn $multiply(x: &Activations, lines: &[Line], scales: &[f32], output: &mut Output) {
            let (codes, words) = ($codes(x), x.stride / 4);
            let mut sums = vec![[0f32; WIDTH]; x.rows];
            let mut whole = [[0i32; 16]; ROWS];
            for line in 0..LINES {
                for (at, (codes, sums)) in codes.chunks(ROWS * words).zip(sums.chunks_mut(ROWS)).enumerate() {
                    for block in 0..x.blocks() {
                        let (own, lines) = (x.words_of(block), lines.as_ptr().add(line));
                        by_rows!(sums.len(), [1 2 3 4 5] 6, $tile(codes, words, own, lines, &mut whole));
                        for (row, (sums, whole)) in sums.iter_mut().zip(&whole).enumerate() {
                            for (sum, whole) in sums[16 * line..][..16].iter_mut().zip(whole) {
                                *sum += x.value(ROWS * at + row, block, *whole);
                            }
                        }
                    }
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                output.finish(row, std::array::from_fn(|i| sums[i] * scales[i]));
            }
        }
    };
}

kernel!(multiply, "avx2,fma", Activations::widened, widened);
kernel!(multiply_vnni, "avx2,fma,avxvnni", Activations::words, dotted);

/// Every [`LINES`]-th line from `lines` on times `M` rows of `words` words, by four-byte dot products: sixteen sums of each
/// row .
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn dotted<const M: usize>(
    codes: &[[i8; 4]],
    words: usize,
    range: Range<usize>,
    lines: *const Line,
    sums: &mut [[i32; 16]; ROWS],
) {
    let mut own = [[_mm256_setzero_si256(); 2]; M];
    for word in range.clone() {
        let at = lines.wrapping_add(word * LINES).cast::<__m256i>();
        let weights = [_mm256_load_si256(at), _mm256_load_si256(at.add(1))];
        for (row, own) in own.iter_mut().enumerate() {
            let a = _mm256_set1_epi32(codes.as_ptr().add(row * words + word).cast::<i32>().read_unaligned());
            for (sum, weights) in own.iter_mut().zip(weights) {
                *sum = _mm256_dpbusd_avx_epi32(*sum, weights, a);
            }
        }
    }
    for (own, sums) in own.into_iter().zip(sums) {
        let out = sums.as_mut_ptr().cast::<__m256i>();
        _mm256_storeu_si256(out, own[0]);
        _mm256_storeu_si256(out.add(1), own[1]);
    }
}

/// The same by products of 16 bits: half a line at a time becomes two registers of four features, whose sums stay in
/// halves (of values 0, 1 and 2, 3 of a word) until the end.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn widened<const M: usize>(
    codes: &[[i16; 4]],
    words: usize,
    range: Range<usize>,
    lines: *const Line,
    sums: &mut [[i32; 16]; ROWS],
) {
    for half in 0..2 {
        let mut own = [[_mm256_setzero_si256(); 2]; M];
        for word in range.clone() {
            let at = lines.wrapping_add(word * LINES).cast::<__m128i>().add(2 * half);
            let weights = [_mm256_cvtepu8_epi16(_mm_load_si128(at)), _mm256_cvtepu8_epi16(_mm_load_si128(at.add(1)))];
            for (row, own) in own.iter_mut().enumerate() {
                let a = _mm256_set1_epi64x(codes.as_ptr().add(row * words + word).cast::<i64>().read_unaligned());
                for (sum, weights) in own.iter_mut().zip(weights) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(weights, a));
                }
            }
        }
        for (own, sums) in own.into_iter().zip(sums.iter_mut()) {
            // Adding neighbours leaves features 0 1 4 5 2 3 6 7.
            let whole = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(own[0], own[1]));
            _mm256_storeu_si256(sums.as_mut_ptr().add(8 * half).cast(), whole);
        }
    }
}

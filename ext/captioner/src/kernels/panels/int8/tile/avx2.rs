//! Six rows times sixteen features. With AVX-VNNI four products to an instruction as in AVX-512; without it bytes are widened
//! to 16 bits, as the byte products of AVX2 (`maddubs`) saturate.

use std::arch::x86_64::*;

use super::lines::{by_lines, Sums, Tile};
use super::Activations;
use crate::kernels::panels::{Line, Output};

/// A word of sixteen features in 16 bits.
#[repr(C, align(64))]
struct Wide([u16; 64]);

#[target_feature(enable = "avx2,fma")]
pub unsafe fn multiply(x: &Activations, lines: &[Line], scales: &[f32], output: &mut Output) {
    let widen = |line: &Line| {
        let mut wide = Wide([0; 64]);
        let (from, to) = (line.0.as_ptr().cast::<__m128i>(), wide.0.as_mut_ptr().cast::<__m256i>());
        for part in 0..4 {
            // SAFETY: a line is four times sixteen bytes, and there is room for twice as many.
            unsafe { _mm256_store_si256(to.add(part), _mm256_cvtepu8_epi16(_mm_load_si128(from.add(part)))) };
        }
        wide
    };
    by_lines(
        (x, x.widened()),
        (lines, scales),
        output,
        widen,
        |offset| offset,
        |tile, sums| {
            // SAFETY: the tile's codes and words reach to the end of its range.
            unsafe { by_rows!(tile.rows(), [1 2 3 4 5] 6, widened(&tile, sums)) }
        },
    );
}

/// `$multiply` by four-byte dot products, of which there are two encodings.
macro_rules! by_words {
    ($multiply:ident, $tile:ident, $features:literal, $dot:ident) => {
        #[target_feature(enable = $features)]
        pub unsafe fn $multiply(x: &Activations, lines: &[Line], scales: &[f32], output: &mut Output) {
            by_lines(
                (x, x.words()),
                (lines, scales),
                output,
                |line| *line,
                |offset| offset,
                |tile, sums| {
                    // SAFETY: as above.
                    unsafe { by_rows!(tile.rows(), [1 2 3 4 5] 6, $tile(&tile, sums)) }
                },
            );
        }

        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn $tile<const M: usize>(tile: &Tile<[i8; 4], Line>, sums: &mut Sums) {
            let mut own = [[_mm256_setzero_si256(); 2]; M];
            for word in tile.range.clone() {
                let at = tile.words.as_ptr().add(word).cast::<__m256i>();
                let weights = [_mm256_load_si256(at), _mm256_load_si256(at.add(1))];
                for (row, own) in own.iter_mut().enumerate() {
                    let a = tile.codes.as_ptr().add(row * tile.stride + word).cast::<i32>().read_unaligned();
                    for (sum, weights) in own.iter_mut().zip(weights) {
                        *sum = $dot(*sum, weights, _mm256_set1_epi32(a));
                    }
                }
            }
            for (own, sums) in own.into_iter().zip(sums) {
                let out = sums.as_mut_ptr().cast::<__m256i>();
                _mm256_storeu_si256(out, own[0]);
                _mm256_storeu_si256(out.add(1), own[1]);
            }
        }
    };
}

by_words!(multiply_vnni, dotted, "avx2,fma,avxvnni", _mm256_dpbusd_avx_epi32);

// Processors with AVX-512 rarely have AVX-VNNI, but the same instruction in another encoding: it stands in for it in tests.
#[cfg(test)]
by_words!(multiply_stand_in, dotted_stand_in, "avx2,fma,avx512vl,avx512vnni", _mm256_dpbusd_epi32);

/// `M` rows by products of 16 bits, half a line at a time: two registers of four features, whose sums stay in halves (of
/// values 0, 1 and 2, 3 of a word) until the end.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn widened<const M: usize>(tile: &Tile<[i16; 4], Wide>, sums: &mut Sums) {
    for half in 0..2 {
        let mut own = [[_mm256_setzero_si256(); 2]; M];
        for word in tile.range.clone() {
            let at = tile.words.as_ptr().add(word).cast::<__m256i>().add(2 * half);
            let weights = [_mm256_load_si256(at), _mm256_load_si256(at.add(1))];
            for (row, own) in own.iter_mut().enumerate() {
                let a = tile.codes.as_ptr().add(row * tile.stride + word).cast::<i64>().read_unaligned();
                for (sum, weights) in own.iter_mut().zip(weights) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(weights, _mm256_set1_epi64x(a)));
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

//! The kernels in AVX-512. Each feature's sums are sixteen lanes for each row of `x`; those of sixteen features are added up
//! together, by transposition.

use std::arch::x86_64::*;

use super::rounded::BLOCK;
use super::{blocks, bytes, floats, Sums, GROUP};

/// Sixteen features' lanes for each of `M` rows.
type Lanes<const M: usize> = [[__m512; GROUP]; M];

#[target_feature(enable = "avx512f")]
unsafe fn no_lanes<const M: usize>() -> Lanes<M> {
    [[_mm512_setzero_ps(); GROUP]; M]
}

/// Adds up the lanes of every feature.
#[target_feature(enable = "avx512f,avx512dq")]
unsafe fn finish<const M: usize>(lanes: &Lanes<M>, sums: &mut Sums) {
    for (lanes, sums) in lanes.iter().zip(sums) {
        _mm512_storeu_ps(sums.as_mut_ptr(), add_up(lanes));
    }
}

/// Lane `i` of the result is the sum of the lanes of `rows[i]`.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
unsafe fn add_up(rows: &[__m512; 16]) -> __m512 {
    // Each step halves the lanes of two vectors and puts them side by side. In the end lane 4 l + w of a quarter's vector
    // holds the part of row 4 q + w in the 128-bit lane l.
    let four = |q: usize| {
        let pair = |a: __m512, b: __m512| _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let (ab, cd) = (pair(rows[4 * q], rows[4 * q + 1]), pair(rows[4 * q + 2], rows[4 * q + 3]));
        _mm512_add_ps(_mm512_shuffle_ps::<0x44>(ab, cd), _mm512_shuffle_ps::<0xEE>(ab, cd))
    };
    let halves =
        |a: __m512, b: __m512| _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xDD>(a, b));
    halves(halves(four(0), four(1)), halves(four(2), four(3)))
}

/// See [`blocks::Blocks`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub unsafe fn blocks(group: &blocks::Group, sums: &mut Sums) {
    by_rows!(group.x.rows, [1 2 3 4 5 6 7] 8, block_rows(group, sums))
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn block_rows<const M: usize>(group: &blocks::Group, sums: &mut Sums) {
    let table = _mm512_broadcast_i32x4(_mm_loadu_si128(group.table.as_ptr().cast()));
    let nibble = _mm512_set1_epi8(15);
    let x: [(*const i8, *const f32, *const f32); M] =
        std::array::from_fn(|m| (group.x.codes(m).as_ptr(), group.x.scales(m).as_ptr(), group.x.offsets(m).as_ptr()));
    // Eight lanes for either block of a pair.
    let halves = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    let mut lanes = no_lanes::<M>();
    for feature in 0..group.count {
        let nibbles = group.nibbles.as_ptr().add(feature * group.bytes);
        let all_scales = group.scales.as_ptr().add(feature * group.blocks);
        let mut own = [_mm512_setzero_ps(); M];
        let mut scales = _mm512_setzero_ps();
        for pair in 0..group.x.pairs {
            if pair % 8 == 0 {
                let there = if group.blocks - 2 * pair >= 16 { !0 } else { (1 << (group.blocks - 2 * pair)) - 1 };
                scales = _mm512_maskz_loadu_ps(there, all_scales.add(2 * pair));
                for (own, x) in own.iter_mut().zip(x) {
                    *own = _mm512_fmadd_ps(scales, _mm512_loadu_ps(x.2.add(2 * pair)), *own);
                }
            }
            let codes = if group.blocks - 2 * pair >= 2 {
                _mm512_loadu_si512(nibbles.add(BLOCK * pair).cast())
            } else {
                _mm512_zextsi256_si512(_mm256_loadu_si256(nibbles.add(BLOCK * pair).cast()))
            };
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), nibble);
            let high = _mm512_shuffle_epi8(table, high);
            let low = _mm512_shuffle_epi8(table, _mm512_and_si512(codes, nibble));
            let which = _mm512_add_epi32(halves, _mm512_set1_epi32(2 * (pair % 8) as i32));
            let scale = _mm512_permutexvar_ps(which, scales);
            for (own, x) in own.iter_mut().zip(x) {
                let codes = x.0.add(2 * BLOCK * pair);
                let sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), high, _mm512_loadu_si512(codes.cast()));
                let sum = _mm512_dpbusd_epi32(sum, low, _mm512_loadu_si512(codes.add(BLOCK).cast()));
                let x_scale = pair_scales(x.1.add(2 * pair));
                *own = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(scale, x_scale), *own);
            }
        }
        for (lanes, own) in lanes.iter_mut().zip(own) {
            lanes[feature] = own;
        }
    }
    finish(&lanes, sums);
}

/// The scale of the first block in the lower eight lanes, of the second in the upper.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
unsafe fn pair_scales(scales: *const f32) -> __m512 {
    let first = _mm256_broadcast_ss(&*scales);
    _mm512_insertf32x8::<1>(_mm512_castps256_ps512(first), _mm256_broadcast_ss(&*scales.add(1)))
}

/// See [`bytes::Bytes`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub unsafe fn bytes(group: &bytes::Group, sums: &mut Sums) {
    by_rows!(group.x.rows, [1 2 3 4 5 6 7] 8, byte_rows(group, sums))
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn byte_rows<const M: usize>(group: &bytes::Group, sums: &mut Sums) {
    let zero = _mm512_set1_epi8(-128);
    let mut lanes = no_lanes::<M>();
    for feature in 0..group.count {
        let codes = group.codes.as_ptr().add(feature * group.cols);
        let mut own = [_mm512_setzero_ps(); M];
        for (block, at) in (0..group.cols).step_by(BLOCK).enumerate() {
            let left = group.cols - at;
            let there = if left >= BLOCK { !0 } else { (1u64 << left) - 1 };
            let w = _mm512_xor_si512(_mm512_maskz_loadu_epi8(there, codes.add(at).cast()), zero);
            for (m, own) in own.iter_mut().enumerate() {
                let x = _mm512_loadu_si512(group.x.codes(m).as_ptr().add(at).cast());
                let sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), w, x);
                let scale = _mm512_set1_ps(*group.x.scales(m).get_unchecked(block));
                *own = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, *own);
            }
        }
        for (lanes, own) in lanes.iter_mut().zip(own) {
            lanes[feature] = own;
        }
    }
    finish(&lanes, sums);
    for (m, sums) in sums.iter_mut().enumerate().take(M) {
        let offset: f32 = group.x.offsets(m).iter().sum();
        sums.iter_mut().for_each(|sum| *sum += offset);
    }
}

/// A kernel for one type of numbers: `$widen(bytes, mask)` loads up to sixteen of them.
macro_rules! float_kernel {
    ($public:ident, $rows:ident, $size:expr, $widen:expr) => {
        /// See [`floats::Floats`].
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
        pub unsafe fn $public(group: &floats::Group, sums: &mut Sums) {
            by_rows!(group.x.len() / group.cols, [1 2 3 4 5 6 7] 8, $rows(group, sums))
        }

        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
        unsafe fn $rows<const M: usize>(group: &floats::Group, sums: &mut Sums) {
            let mut lanes = no_lanes::<M>();
            // Two features at a time; the second is the first again where there is only one left.
            for feature in (0..group.count).step_by(2) {
                let next = (feature + 1).min(group.count - 1);
                let rows = [feature, next].map(|row| group.bytes.as_ptr().add(row * group.cols * $size));
                let mut own = [[_mm512_setzero_ps(); M]; 2];
                for at in (0..group.cols).step_by(16) {
                    let left = group.cols - at;
                    let there: __mmask16 = if left >= 16 { !0 } else { (1 << left) - 1 };
                    let weights = rows.map(|row| $widen(row.add(at * $size), there));
                    for m in 0..M {
                        let x = _mm512_maskz_loadu_ps(there, group.x.as_ptr().add(m * group.cols + at));
                        own[0][m] = _mm512_fmadd_ps(weights[0], x, own[0][m]);
                        own[1][m] = _mm512_fmadd_ps(weights[1], x, own[1][m]);
                    }
                }
                for m in 0..M {
                    lanes[m][feature] = own[0][m];
                    lanes[m][next] = own[1][m];
                }
            }
            finish(&lanes, sums);
        }
    };
}

float_kernel!(f16s, f16_rows, 2, |bytes: *const u8, there| _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(
    there,
    bytes.cast()
)));
float_kernel!(bf16s, bf16_rows, 2, |bytes: *const u8, there| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(
    _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(there, bytes.cast()))
)));
float_kernel!(f32s, f32_rows, 4, |bytes: *const u8, there| _mm512_maskz_loadu_ps(there, bytes.cast()));

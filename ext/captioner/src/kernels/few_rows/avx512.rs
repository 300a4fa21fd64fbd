//! The kernels in AVX-512. Each feature's sums are sixteen lanes for each row of `x`; those of sixteen features are added up
//! together, by transposition.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::group::{BlockGroup, ByteGroup, FloatGroup};
use super::rounded::BLOCK;
use super::{Sums, GROUP};

/// Bytes of a weight that are asked for before they are needed: rows are too short for the processor to see a stream.
const AHEAD: usize = 4096;

/// Sixteen features' lanes for each of `M` rows; written before they are read.
type Lanes<const M: usize> = [[MaybeUninit<__m512>; GROUP]; M];

/// Adds up the lanes of the first `count` features.
#[target_feature(enable = "avx512f,avx512dq")]
unsafe fn finish<const M: usize>(lanes: &mut Lanes<M>, count: usize, sums: &mut Sums) {
    for (lanes, sums) in lanes.iter_mut().zip(sums) {
        lanes[count..].fill(MaybeUninit::new(_mm512_setzero_ps()));
        // SAFETY: all of them are written now.
        _mm512_storeu_ps(sums.as_mut_ptr(), add_up(&*lanes.as_ptr().cast::<[__m512; GROUP]>()));
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

/// See [`super::blocks::Blocks`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub unsafe fn blocks(group: &BlockGroup, sums: &mut Sums) {
    by_rows!(group.x.rows, [1 2 3 4 5 6 7] 8, block_rows(group, sums))
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn block_rows<const M: usize>(group: &BlockGroup, sums: &mut Sums) {
    let x: [(*const i8, *const f32); M] =
        std::array::from_fn(|m| (group.x.codes(m).as_ptr(), group.x.pair_scales(m).as_ptr()));
    let table = _mm512_broadcast_i32x4(_mm_loadu_si128(group.table.as_ptr().cast()));
    let mut lanes: Lanes<M> = [[MaybeUninit::uninit(); GROUP]; M];
    // Two features at a time share what is read of `x`; the second is the first again where there is only one left.
    for feature in (0..group.count).step_by(2) {
        let features = [feature, (feature + 1).min(group.count - 1)];
        let nibbles = features.map(|row| group.nibbles.as_ptr().add(row * group.bytes));
        let scales = features.map(|row| group.scales.as_ptr().add(row * group.blocks));
        let mut own = offsets::<M>(group, scales);
        for pair in 0..group.blocks.div_ceil(2) {
            let is_whole = 2 * pair + 1 < group.blocks;
            // No closure: the compiler does not always inline it, and its result then passes through memory.
            macro_rules! weights {
                ($row:literal) => {{
                    let (codes, scales) = (nibbles[$row].add(BLOCK * pair), scales[$row].add(2 * pair));
                    let first = _mm512_set1_ps(*scales);
                    if is_whole {
                        _mm_prefetch::<_MM_HINT_T0>(codes.wrapping_add(AHEAD).cast());
                        // Eight lanes for either block of a pair.
                        let scale = _mm512_mask_mov_ps(first, 0xFF00, _mm512_set1_ps(*scales.add(1)));
                        Weights::look_up(table, _mm512_loadu_si512(codes.cast()), scale)
                    } else {
                        Weights::look_up(table, _mm512_zextsi256_si512(_mm256_loadu_si256(codes.cast())), first)
                    }
                }};
            }
            let weights = [weights!(0), weights!(1)];
            for m in 0..M {
                let codes = x[m].0.add(2 * BLOCK * pair);
                let (even, odd) = (_mm512_loadu_si512(codes.cast()), _mm512_loadu_si512(codes.add(BLOCK).cast()));
                let scale = _mm512_loadu_ps(x[m].1.add(16 * pair));
                for (own, weights) in own.iter_mut().zip(weights) {
                    let sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), weights.high, even);
                    let sum = _mm512_dpbusd_epi32(sum, weights.low, odd);
                    own[m] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(weights.scale, scale), own[m]);
                }
            }
        }
        for (m, lanes) in lanes.iter_mut().enumerate() {
            lanes[features[0]] = MaybeUninit::new(own[0][m]);
            lanes[features[1]] = MaybeUninit::new(own[1][m]);
        }
    }
    finish(&mut lanes, group.count, sums);
}

/// What the 128 in every code adds to the sums of two features, negative, in lanes that add up to it.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
unsafe fn offsets<const M: usize>(group: &BlockGroup, scales: [*const f32; 2]) -> [[__m512; M]; 2] {
    let mut own = [[_mm512_setzero_ps(); M]; 2];
    for first in (0..group.blocks).step_by(16) {
        let there = if group.blocks - first >= 16 { !0 } else { (1 << (group.blocks - first)) - 1 };
        let scales = scales.map(|scales| _mm512_maskz_loadu_ps(there, scales.add(first)));
        for (m, offsets) in (0..M).map(|m| (m, group.x.offsets(m))) {
            let offsets = _mm512_loadu_ps(offsets.as_ptr().add(first));
            own[0][m] = _mm512_fmadd_ps(scales[0], offsets, own[0][m]);
            own[1][m] = _mm512_fmadd_ps(scales[1], offsets, own[1][m]);
        }
    }
    own
}

/// Two blocks of one feature: those with an even index, those with an odd one, and their scales lane by lane.
#[derive(Clone, Copy)]
struct Weights {
    high: __m512i,
    low: __m512i,
    scale: __m512,
}

impl Weights {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn look_up(table: __m512i, codes: __m512i, scale: __m512) -> Self {
        let nibble = _mm512_set1_epi8(15);
        let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), nibble);
        let low = _mm512_and_si512(codes, nibble);
        Self { high: _mm512_shuffle_epi8(table, high), low: _mm512_shuffle_epi8(table, low), scale }
    }
}

/// See [`super::bytes::Bytes`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub unsafe fn bytes(group: &ByteGroup, sums: &mut Sums) {
    by_rows!(group.x.rows, [1 2 3 4 5 6 7] 8, byte_rows(group, sums))
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
unsafe fn byte_rows<const M: usize>(group: &ByteGroup, sums: &mut Sums) {
    let zero = _mm512_set1_epi8(-128);
    let mut lanes: Lanes<M> = [[MaybeUninit::uninit(); GROUP]; M];
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
            lanes[feature] = MaybeUninit::new(own);
        }
    }
    finish(&mut lanes, group.count, sums);
    for (m, sums) in sums.iter_mut().enumerate().take(M) {
        let offset: f32 = group.x.offsets(m).iter().sum();
        sums.iter_mut().for_each(|sum| *sum += offset);
    }
}

/// A kernel for one type of numbers: `$widen(bytes, mask)` loads up to sixteen of them.
macro_rules! float_kernel {
    ($public:ident, $rows:ident, $size:expr, $widen:expr) => {
        /// See [`super::floats::Floats`].
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
        pub unsafe fn $public(group: &FloatGroup, sums: &mut Sums) {
            by_rows!(group.x.len() / group.cols, [1 2 3 4 5 6 7] 8, $rows(group, sums))
        }

        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
        unsafe fn $rows<const M: usize>(group: &FloatGroup, sums: &mut Sums) {
            let mut lanes: Lanes<M> = [[MaybeUninit::uninit(); GROUP]; M];
            // Two features at a time; the second is the first again where there is only one left.
            for feature in (0..group.count).step_by(2) {
                let next = (feature + 1).min(group.count - 1);
                let rows = [feature, next].map(|row| group.bytes.as_ptr().add(row * group.cols * $size));
                let mut own = [[_mm512_setzero_ps(); M]; 2];
                for at in (0..group.cols).step_by(16) {
                    let left = group.cols - at;
                    let there: __mmask16 = if left >= 16 { !0 } else { (1 << left) - 1 };
                    // Both rows, one after the other: as many bytes as are loaded now.
                    for line in (0..32 * $size).step_by(64) {
                        _mm_prefetch::<_MM_HINT_T0>(rows[0].wrapping_add(2 * at * $size + AHEAD + line).cast());
                    }
                    let weights = rows.map(|row| $widen(row.add(at * $size), there));
                    for m in 0..M {
                        let x = _mm512_maskz_loadu_ps(there, group.x.as_ptr().add(m * group.cols + at));
                        own[0][m] = _mm512_fmadd_ps(weights[0], x, own[0][m]);
                        own[1][m] = _mm512_fmadd_ps(weights[1], x, own[1][m]);
                    }
                }
                for m in 0..M {
                    lanes[m][feature] = MaybeUninit::new(own[0][m]);
                    lanes[m][next] = MaybeUninit::new(own[1][m]);
                }
            }
            finish(&mut lanes, group.count, sums);
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

/// `out[i] = map[q[i]] * factor + offset`, sixteen at a time; gives how many are done.
#[target_feature(enable = "avx512f")]
pub unsafe fn scales(map: &[f32; 256], q: &[u8], factor: f32, offset: f32, out: &mut [f32]) -> usize {
    let entries: [__m512; 16] = std::array::from_fn(|i| _mm512_loadu_ps(map.as_ptr().add(16 * i)));
    let (factors, offsets) = (_mm512_set1_ps(factor), _mm512_set1_ps(offset));
    let whole = q.len() / 16 * 16;
    for at in (0..whole).step_by(16) {
        let which = _mm512_cvtepu8_epi32(_mm_loadu_si128(q.as_ptr().add(at).cast()));
        // Each look-up takes the lowest five bits; the others choose among the look-ups, one after the other.
        let bit = |bit: i32| _mm512_test_epi32_mask(which, _mm512_set1_epi32(bit));
        let eight: [__m512; 8] =
            std::array::from_fn(|i| _mm512_permutex2var_ps(entries[2 * i], which, entries[2 * i + 1]));
        let four: [__m512; 4] = std::array::from_fn(|i| _mm512_mask_blend_ps(bit(32), eight[2 * i], eight[2 * i + 1]));
        let two: [__m512; 2] = std::array::from_fn(|i| _mm512_mask_blend_ps(bit(64), four[2 * i], four[2 * i + 1]));
        let entry = _mm512_mask_blend_ps(bit(128), two[0], two[1]);
        _mm512_storeu_ps(out.as_mut_ptr().add(at), _mm512_fmadd_ps(entry, factors, offsets));
    }
    whole
}

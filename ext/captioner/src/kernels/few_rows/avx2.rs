//! The kernels for 4-bit blocks and for int8 in AVX2. Bytes are widened to 16 bits, as the byte products of AVX2 saturate.

use std::arch::x86_64::*;

use super::group::{whole_block, BlockGroup, ByteGroup};
use super::rounded::BLOCK;
use super::Sums;

/// See [`super::blocks::Blocks`].
#[target_feature(enable = "avx2,fma")]
pub unsafe fn blocks(group: &BlockGroup, sums: &mut Sums) {
    // Signed here: what is looked up stands for itself, so there is no 128 to take off.
    let table = _mm_xor_si128(_mm_loadu_si128(group.table.as_ptr().cast()), _mm_set1_epi8(-128));
    let table = _mm256_broadcastsi128_si256(table);
    let nibble = _mm256_set1_epi8(15);
    for feature in 0..group.count {
        let mut own = [_mm256_setzero_ps(); super::FEW_ROWS];
        for block in 0..group.blocks {
            let nibbles = group.nibbles.as_ptr().add(feature * group.bytes + block * (BLOCK / 2));
            let codes = _mm256_loadu_si256(nibbles.cast());
            let high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16::<4>(codes), nibble));
            let low = _mm256_shuffle_epi8(table, _mm256_and_si256(codes, nibble));
            let weights = [
                _mm256_cvtepi8_epi16(_mm256_castsi256_si128(high)),
                _mm256_cvtepi8_epi16(_mm256_extracti128_si256::<1>(high)),
                _mm256_cvtepi8_epi16(_mm256_castsi256_si128(low)),
                _mm256_cvtepi8_epi16(_mm256_extracti128_si256::<1>(low)),
            ];
            let scale = *group.scales.as_ptr().add(feature * group.blocks + block);
            for (x, own) in (0..group.x.rows).zip(&mut own) {
                // Even values of the block, and 64 bytes further its odd ones, see `rounded::Order::Nibbles`.
                let codes = group.x.codes(x).as_ptr().add(block / 2 * 2 * BLOCK + block % 2 * (BLOCK / 2));
                let mut sum = _mm256_setzero_si256();
                for (part, weights) in weights.into_iter().enumerate() {
                    let at = codes.add(part / 2 * BLOCK + part % 2 * 16);
                    let a = _mm256_cvtepi8_epi16(_mm_loadu_si128(at.cast()));
                    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(weights, a));
                }
                let scale = _mm256_set1_ps(scale * group.x.scales(x)[block]);
                *own = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, *own);
            }
        }
        finish(own, feature, sums);
    }
}

/// See [`super::bytes::Bytes`].
#[target_feature(enable = "avx2,fma")]
pub unsafe fn bytes(group: &ByteGroup, sums: &mut Sums) {
    for (feature, codes) in group.codes.chunks_exact(group.cols).enumerate() {
        let mut own = [_mm256_setzero_ps(); super::FEW_ROWS];
        for (block, codes) in codes.chunks(BLOCK).enumerate() {
            let mut room = [0; BLOCK];
            let codes = whole_block(codes, &mut room);
            // SAFETY: both sides have a whole block.
            let part = |from: *const i8| unsafe {
                [0, 1, 2, 3].map(|i| _mm256_cvtepi8_epi16(_mm_loadu_si128(from.add(16 * i).cast())))
            };
            let weights = part(codes.as_ptr().cast());
            for (x, own) in (0..group.x.rows).zip(&mut own) {
                let a = part(group.x.codes(x).as_ptr().add(block * BLOCK));
                let products = weights.into_iter().zip(a).map(|(w, a)| _mm256_madd_epi16(w, a));
                let sum = products.fold(_mm256_setzero_si256(), |sum, part| _mm256_add_epi32(sum, part));
                *own = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(group.x.scales(x)[block]), *own);
            }
        }
        finish(own, feature, sums);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
unsafe fn finish(own: [__m256; super::FEW_ROWS], feature: usize, sums: &mut Sums) {
    for (own, sums) in own.into_iter().zip(sums) {
        let mut lanes = [0f32; 8];
        _mm256_storeu_ps(lanes.as_mut_ptr(), own);
        sums[feature] = lanes.iter().sum();
    }
}

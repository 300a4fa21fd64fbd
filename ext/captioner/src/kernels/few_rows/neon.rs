//! The kernels for 4-bit blocks and for int8 in NEON, with dot products where the CPU has them (`dotprod`).

use std::arch::aarch64::*;

use super::group::{whole_block, BlockGroup, ByteGroup};
use super::rounded::BLOCK;
use super::{Sums, FEW_ROWS};
use crate::kernels::neon::{dot, dot_of_products};

/// Values of a register.
const LANES: usize = 16;

/// Bytes of a block in 4 bits.
const NIBBLES: usize = BLOCK / 2;

/// The kernels `$blocks` and `$bytes` with the sums that `$dot` makes.
macro_rules! kernels {
    ($features:literal, $dot:ident, $blocks:ident, $bytes:ident, $add:ident) => {
        /// See [`super::blocks::Blocks`].
        #[target_feature(enable = $features)]
        pub unsafe fn $blocks(group: &BlockGroup, sums: &mut Sums) {
            // Signed here: what is looked up stands for itself, so there is no 128 to take off.
            let table = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(group.table.as_ptr()), vdupq_n_u8(128)));
            for feature in 0..group.count {
                let mut own = [vdupq_n_f32(0.0); FEW_ROWS];
                for block in 0..group.blocks {
                    let nibbles = group.nibbles.as_ptr().add(feature * group.bytes + block * NIBBLES);
                    let bytes = [vld1q_u8(nibbles), vld1q_u8(nibbles.add(LANES))];
                    let high = bytes.map(|bytes| vqtbl1q_s8(table, vshrq_n_u8::<4>(bytes)));
                    let low = bytes.map(|bytes| vqtbl1q_s8(table, vandq_u8(bytes, vdupq_n_u8(15))));
                    let scale = *group.scales.as_ptr().add(feature * group.blocks + block);
                    // Even values of the block, and 64 bytes further its odd ones, see `rounded::Order::Nibbles`.
                    let at = block / 2 * 2 * BLOCK + block % 2 * NIBBLES;
                    let parts = [at, at + LANES, at + BLOCK, at + BLOCK + LANES];
                    let weights = [high[0], high[1], low[0], low[1]];
                    for (x, own) in (0..group.x.rows).zip(&mut own) {
                        let a = parts.map(|at| vld1q_s8(group.x.codes(x).as_ptr().add(at)));
                        *own = $add(*own, weights, a, scale * group.x.scales(x)[block]);
                    }
                }
                finish(own, feature, sums);
            }
        }

        /// See [`super::bytes::Bytes`].
        #[target_feature(enable = $features)]
        pub unsafe fn $bytes(group: &ByteGroup, sums: &mut Sums) {
            for (feature, codes) in group.codes.chunks_exact(group.cols).enumerate() {
                let mut own = [vdupq_n_f32(0.0); FEW_ROWS];
                for (block, codes) in codes.chunks(BLOCK).enumerate() {
                    let mut room = [0; BLOCK];
                    let codes = whole_block(codes, &mut room);
                    let part = |from: *const i8| [0, 1, 2, 3].map(|i| vld1q_s8(from.add(i * LANES)));
                    let weights = part(codes.as_ptr().cast());
                    for (x, own) in (0..group.x.rows).zip(&mut own) {
                        let a = part(group.x.codes(x).as_ptr().add(block * BLOCK));
                        *own = $add(*own, weights, a, group.x.scales(x)[block]);
                    }
                }
                finish(own, feature, sums);
            }
        }

        /// `total` and the products of a block, scaled.
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn $add(total: float32x4_t, w: [int8x16_t; 4], a: [int8x16_t; 4], scale: f32) -> float32x4_t {
            let products = w.into_iter().zip(a).fold(vdupq_n_s32(0), |sum, (w, a)| $dot(sum, w, a));
            vfmaq_n_f32(total, vcvtq_f32_s32(products), scale)
        }
    };
}

kernels!("neon", dot_of_products, blocks, bytes, add_block);
kernels!("neon,dotprod", dot, blocks_dot, bytes_dot, add_block_dot);

#[inline]
#[target_feature(enable = "neon")]
unsafe fn finish(own: [float32x4_t; FEW_ROWS], feature: usize, sums: &mut Sums) {
    for (own, sums) in own.into_iter().zip(sums) {
        sums[feature] = vaddvq_f32(own);
    }
}

//! Six rows times sixteen features, by matrix products of 2 by 8 by 2 where the CPU has them (`i8mm`), by dot products of four
//! (`dotprod`), or by what every 64-bit ARM processor has.
//!
//! ```text
//! dotprod   word 0 of features 0-3, 4-7, 8-11, 12-15 (4 registers), each times word 0 of a row in every lane
//! i8mm      words 0 and 1 of features 0 1, 2 3, ... 14 15 (8 registers), each times words 0 and 1 of rows 0 1, 2 3, 4 5
//! ```

use std::arch::aarch64::*;

use super::lines::{by_lines, Sums, Tile};
use super::Activations;
use crate::kernels::neon::{dot, dot_of_products, square};
use crate::kernels::panels::{Line, Output};

/// Registers of a line.
const PARTS: usize = 4;

/// A line of signed bytes: what stands for zero is taken off, so that sums need no offset.
#[inline(always)]
fn signed(line: &Line) -> Line {
    Line(line.0.map(|word| word ^ 0x8080_8080))
}

/// `$multiply` with the sums that `$dot` makes.
macro_rules! by_words {
    ($multiply:ident, $tile:ident, $features:literal, $dot:ident) => {
        #[target_feature(enable = $features)]
        pub unsafe fn $multiply(x: &Activations, lines: &[Line], scales: &[f32], output: &mut Output) {
            by_lines((x, x.words()), (lines, scales), output, signed, |_| 0, |tile, sums| {
                // SAFETY: the tile's codes and words reach to the end of its range.
                unsafe { by_rows!(tile.rows(), [1 2 3 4 5] 6, $tile(&tile, sums)) }
            });
        }

        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn $tile<const M: usize>(tile: &Tile<[i8; 4], Line>, sums: &mut Sums) {
            let mut own = [[vdupq_n_s32(0); PARTS]; M];
            for word in tile.range.clone() {
                let at = tile.words.as_ptr().add(word).cast::<i8>();
                let a: [_; M] = std::array::from_fn(|row| {
                    let code = tile.codes.as_ptr().wrapping_add(row * tile.stride + word);
                    // SAFETY: the codes reach to the end of the range.
                    unsafe { vreinterpretq_s8_s32(vdupq_n_s32(code.cast::<i32>().read_unaligned())) }
                });
                for part in 0..PARTS {
                    let weights = vld1q_s8(at.add(16 * part));
                    for (own, a) in own.iter_mut().zip(a) {
                        own[part] = $dot(own[part], weights, a);
                    }
                }
            }
            for (own, sums) in own.into_iter().zip(sums) {
                own.into_iter().enumerate().for_each(|(part, own)| vst1q_s32(sums.as_mut_ptr().add(4 * part), own));
            }
        }
    };
}

by_words!(multiply, whole, "neon", dot_of_products);
by_words!(multiply_dot, dotted, "neon,dotprod", dot);

#[target_feature(enable = "neon,i8mm")]
pub unsafe fn multiply_i8mm(x: &Activations, lines: &[Line], scales: &[f32], output: &mut Output) {
    by_lines(
        (x, x.words()),
        (lines, scales),
        output,
        |line| *line,
        |offset| offset,
        |tile, sums| {
            // SAFETY: as above.
            unsafe { by_rows!(tile.rows().div_ceil(2), [1 2] 3, squares(&tile, sums)) }
        },
    );
}

/// `P` pairs of rows; the last pair may be one row twice.
#[inline]
#[target_feature(enable = "neon,i8mm")]
unsafe fn squares<const P: usize>(tile: &Tile<[i8; 4], Line>, sums: &mut Sums) {
    let last = tile.rows() - 1;
    let rows: [[_; 2]; P] = std::array::from_fn(|pair| {
        [2 * pair, 2 * pair + 1].map(|row| tile.codes.as_ptr().wrapping_add(row.min(last) * tile.stride).cast::<i8>())
    });
    let mut own = [[vdupq_n_s32(0); 2 * PARTS]; P];
    let pairs = tile.range.len() / 2;
    for word in (0..pairs).map(|pair| tile.range.start + 2 * pair) {
        let a = rows.map(|[even, odd]| vcombine_s8(vld1_s8(even.add(4 * word)), vld1_s8(odd.add(4 * word))));
        let at = tile.words.as_ptr().add(word).cast::<u32>();
        for part in 0..PARTS {
            let (first, second) = (vld1q_u32(at.add(4 * part)), vld1q_u32(at.add(16 + 4 * part)));
            add_squares(&mut own, part, (first, second), a);
        }
    }
    if tile.range.len() % 2 == 1 {
        // The word behind the last one stands for zeros.
        let word = tile.range.end - 1;
        let alone = |row: *const i8| vcreate_s8(row.add(4 * word).cast::<u32>().read_unaligned().into());
        let a = rows.map(|[even, odd]| vcombine_s8(alone(even), alone(odd)));
        let at = tile.words.as_ptr().add(word).cast::<u32>();
        for part in 0..PARTS {
            add_squares(&mut own, part, (vld1q_u32(at.add(4 * part)), vdupq_n_u32(0)), a);
        }
    }
    for (pair, own) in own.iter().enumerate() {
        for part in 0..PARTS {
            // Of features 0 and 1, then of 2 and 3: those of the even row and of the odd one take turns.
            let (low, high) = (own[2 * part], own[2 * part + 1]);
            vst1q_s32(sums[2 * pair].as_mut_ptr().add(4 * part), vuzp1q_s32(low, high));
            vst1q_s32(sums[2 * pair + 1].as_mut_ptr().add(4 * part), vuzp2q_s32(low, high));
        }
    }
}

/// Adds the products of four features' two words with those of the pairs of rows.
#[inline]
#[target_feature(enable = "neon,i8mm")]
unsafe fn add_squares<const P: usize>(
    own: &mut [[int32x4_t; 2 * PARTS]; P],
    part: usize,
    (first, second): (uint32x4_t, uint32x4_t),
    a: [int8x16_t; P],
) {
    let low = vreinterpretq_u8_u32(vzip1q_u32(first, second));
    let high = vreinterpretq_u8_u32(vzip2q_u32(first, second));
    for (own, a) in own.iter_mut().zip(a) {
        own[2 * part] = square(own[2 * part], low, a);
        own[2 * part + 1] = square(own[2 * part + 1], high, a);
    }
}

//! The few rows of activations in int8, a scale for each 64 of their values.

use crate::kernels::isa::Isa;
use crate::kernels::matrix::ActivationScales;
use crate::kernels::panels::int8::round_row;

/// Values that share a scale.
pub const BLOCK: usize = ActivationScales::BLOCK;

/// The order of the codes of two blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As the values come.
    Natural,
    /// Those with an even index of both blocks, then those with an odd one: high nibbles of 64 bytes, then low nibbles.
    Nibbles,
}

impl Order {
    /// Every order, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Natural, Self::Nibbles];
}

/// Rows in int8.
pub struct Rounded {
    pub rows: usize,
    /// Pairs of blocks of a row; what is beyond the row's values is zero.
    pub pairs: usize,
    /// `[rows, pairs, 128]`
    codes: Vec<i8>,
    /// `[rows, pairs, 2]`, rounded up to sixteen a row.
    scales: Vec<f32>,
    /// `[rows, pairs, 16]`: the scale of a pair's first block eight times, then that of its second.
    pair_scales: Vec<f32>,
    /// As `scales`: -128 times the sum of a block's codes times its scale. Weights come with 128 added.
    offsets: Vec<f32>,
}

impl Rounded {
    /// Rounds `x`, `[rows, cols]`.
    pub fn new(isa: Isa, x: &[f32], cols: usize, order: Order) -> Self {
        let (rows, pairs) = (x.len() / cols, cols.div_ceil(2 * BLOCK));
        let mut rounded = Self {
            rows,
            pairs,
            codes: vec![0; rows * pairs * 2 * BLOCK],
            scales: vec![0.0; rows * Self::padded(pairs)],
            pair_scales: vec![0.0; rows * pairs * 16],
            offsets: vec![0.0; rows * Self::padded(pairs)],
        };
        for (row, x) in x.chunks_exact(cols).enumerate() {
            for (block, x) in x.chunks(BLOCK).enumerate() {
                let mut codes = [0; BLOCK];
                let (scale, sum) = round_row(isa, x, &mut codes[..x.len()]);
                let at = row * Self::padded(pairs) + block;
                (rounded.scales[at], rounded.offsets[at]) = (scale, -128.0 * scale * sum as f32);
                rounded.pair_scales[(row * pairs * 2 + block) * 8..][..8].fill(scale);
                let pair = &mut rounded.codes[(row * pairs + block / 2) * 2 * BLOCK..][..2 * BLOCK];
                match order {
                    Order::Natural => pair[block % 2 * BLOCK..][..BLOCK].copy_from_slice(&codes),
                    Order::Nibbles => {
                        let (even, odd) = pair.split_at_mut(BLOCK);
                        let half = block % 2 * (BLOCK / 2);
                        let halves = even[half..].iter_mut().zip(&mut odd[half..]);
                        for ((even, odd), codes) in halves.zip(codes.chunks_exact(2)) {
                            (*even, *odd) = (codes[0], codes[1]);
                        }
                    }
                }
            }
        }
        rounded
    }

    /// Floats of a row of scales or offsets.
    fn padded(pairs: usize) -> usize {
        (2 * pairs).next_multiple_of(16)
    }

    /// The codes of a row, `[pairs, 128]`.
    pub fn codes(&self, row: usize) -> &[i8] {
        &self.codes[row * self.pairs * 2 * BLOCK..][..self.pairs * 2 * BLOCK]
    }

    /// The scales of a row's blocks.
    pub fn scales(&self, row: usize) -> &[f32] {
        &self.scales[row * Self::padded(self.pairs)..][..Self::padded(self.pairs)]
    }

    /// The scales of a row's pairs of blocks, `[pairs, 16]`: eight times either.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub fn pair_scales(&self, row: usize) -> &[f32] {
        &self.pair_scales[row * self.pairs * 16..][..self.pairs * 16]
    }

    /// What the 128 in every weight adds to a row's blocks, negative.
    pub fn offsets(&self, row: usize) -> &[f32] {
        &self.offsets[row * Self::padded(self.pairs)..][..Self::padded(self.pairs)]
    }
}

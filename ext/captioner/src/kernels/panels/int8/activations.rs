//! Rows of activations rounded to int8.

use std::cell::OnceCell;
use std::ops::Range;

use crate::kernels::isa::Isa;
use crate::kernels::matrix::ActivationScales;

use super::blocks::round_blocks;
use super::rows::round_row;

/// Rows in int8, in blocks of which each has its own scale; a whole row may be one. A block's largest magnitude is 127, so
/// `value = code * scale`.
#[derive(Debug, Default)]
pub struct Activations {
    /// `[rows, stride]`; what is beyond a row's values is zero.
    pub codes: Vec<i8>,
    /// Bytes of a row: its values, rounded up to whole words.
    pub stride: usize,
    pub rows: usize,
    /// Bytes of a block; the last of a row may be shorter.
    pub block: usize,
    /// `[rows, blocks]`
    pub scales: Vec<f32>,
    /// -128 times the sum of each block's codes: weights are stored with 128 added, and this takes it off again.
    pub offsets: Vec<i32>,
    /// The codes in 16 bits, for kernels that multiply those.
    wide: OnceCell<Vec<[i16; 4]>>,
}

impl Activations {
    /// Rounds `x`, `[rows, cols]`; what was here before is gone.
    pub fn round(&mut self, isa: Isa, x: &[f32], cols: usize, scales: ActivationScales) {
        let rows = x.len() / cols;
        self.rows = rows;
        self.stride = cols.next_multiple_of(4);
        self.block = match scales {
            ActivationScales::PerRow => self.stride,
            ActivationScales::PerBlock => ActivationScales::BLOCK,
        };
        // Cleared only where a row has padding: all else is overwritten.
        if self.stride != cols {
            self.codes.clear();
        }
        self.codes.resize(rows * self.stride, 0);
        self.scales.clear();
        self.offsets.clear();
        self.wide.take();
        for (x, codes) in x.chunks_exact(cols).zip(self.codes.chunks_exact_mut(self.stride)) {
            let mut add = |(scale, sum): (f32, i32)| {
                self.scales.push(scale);
                self.offsets.push(-128 * sum);
            };
            match scales {
                ActivationScales::PerRow => add(round_row(isa, x, &mut codes[..cols])),
                ActivationScales::PerBlock => round_blocks(isa, x, &mut codes[..cols], add),
            }
        }
    }

    /// Blocks of a row.
    pub fn blocks(&self) -> usize {
        self.stride.div_ceil(self.block)
    }

    /// The words of block `index` in a row's words.
    pub fn words_of(&self, index: usize) -> Range<usize> {
        index * self.block / 4..((index + 1) * self.block).min(self.stride) / 4
    }

    /// What a sum of unsigned weights times a block's codes stands for, but for the weights' scale.
    #[inline(always)]
    pub fn value(&self, row: usize, block: usize, sum: i32) -> f32 {
        let at = row * self.blocks() + block;
        (sum + self.offsets[at]) as f32 * self.scales[at]
    }

    /// The codes in words of four, `[rows, stride / 4]`.
    pub fn words(&self) -> &[[i8; 4]] {
        self.codes.as_chunks().0
    }

    /// The same in 16 bits.
    pub fn widened(&self) -> &[[i16; 4]] {
        self.wide.get_or_init(|| self.words().iter().map(|word| word.map(i16::from)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::values;

    #[test]
    fn a_code_is_the_nearest_to_its_value() {
        for isa in Isa::available() {
            for cols in [1, 15, 16, 64, 147, 1000] {
                let x = values(3 * cols, cols as u32);
                let mut rows = Activations::default();
                rows.round(isa, &x, cols, ActivationScales::PerRow);
                for row in 0..3 {
                    let codes = &rows.codes[row * rows.stride..(row + 1) * rows.stride];
                    let sum: i32 = codes.iter().map(|c| i32::from(*c)).sum();
                    assert_eq!(rows.offsets[row], -128 * sum);
                    assert_eq!(codes.iter().map(|c| c.unsigned_abs()).max(), Some(127));
                    for (value, code) in x[row * cols..].iter().zip(&codes[..cols]) {
                        assert!((value - f32::from(*code) * rows.scales[row]).abs() <= rows.scales[row] * 0.5001);
                    }
                    assert!(codes[cols..].iter().all(|c| *c == 0));
                }
            }
        }
    }

    #[test]
    fn blocks_are_rounded_each_for_itself() {
        for isa in Isa::available() {
            for cols in [4, 63, 64, 65, 147, 320] {
                let (x, mut rows) = (values(2 * cols, 3), Activations::default());
                rows.round(isa, &x, cols, ActivationScales::PerBlock);
                assert_eq!((rows.blocks(), rows.scales.len()), (cols.div_ceil(64), 2 * cols.div_ceil(64)));
                for (row, x) in x.chunks_exact(cols).enumerate() {
                    for (block, x) in x.chunks(64).enumerate() {
                        let mut codes = vec![0; x.len()];
                        let (scale, sum) = round_row(Isa::Portable, x, &mut codes);
                        let at = row * rows.blocks() + block;
                        assert_eq!((rows.scales[at], rows.offsets[at]), (scale, -128 * sum));
                        assert_eq!(rows.codes[row * rows.stride + 64 * block..][..x.len()], codes);
                    }
                }
            }
        }
    }
}

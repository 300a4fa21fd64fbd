//! Rows of activations rounded to int8.

use super::{piece_len, rounding::round_between};
use crate::kernels::isa::Isa;

/// Rows in int8. Each is cut into pieces of its own grid: `value = middle + code * step`.
#[derive(Debug, Default)]
pub struct Activations {
    /// `[rows, stride]`; what is beyond a row's values is zero.
    pub codes: Vec<i8>,
    /// Bytes of a row: its values, rounded up to whole words.
    pub stride: usize,
    /// Bytes of a piece, whole words; the last one of a row may have fewer.
    pub piece: usize,
    /// `[rows, pieces]`
    pub pieces: Vec<Piece>,
}

/// What the codes of a piece stand for.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    pub middle: f32,
    pub step: f32,
    /// -128 times the sum of the codes: weights are stored with 128 added, and this takes it off again.
    pub offset: i32,
}

impl Activations {
    /// Rounds `x`, `[rows, cols]`; what was here before is gone.
    pub fn round(&mut self, isa: Isa, x: &[f32], cols: usize) {
        let rows = x.len() / cols;
        (self.stride, self.piece) = (cols.next_multiple_of(4), piece_len(cols));
        // Cleared only where a row has padding: all else is overwritten.
        if self.stride != cols {
            self.codes.clear();
        }
        self.codes.resize(rows * self.stride, 0);
        self.pieces.clear();
        for (x, codes) in x.chunks_exact(cols).zip(self.codes.chunks_exact_mut(self.stride)) {
            for (x, codes) in x.chunks(self.piece).zip(codes.chunks_mut(self.piece)) {
                let (middle, step, sum) = round_between(isa, x, &mut codes[..x.len()]);
                self.pieces.push(Piece { middle, step, offset: -128 * sum });
            }
        }
    }

    /// Pieces of a row.
    pub fn pieces_of_a_row(&self) -> usize {
        self.stride.div_ceil(self.piece)
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.codes.len() / self.stride
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::values;

    #[test]
    fn every_piece_has_its_own_grid() {
        for isa in Isa::available() {
            for cols in [1, 147, 512, 2305] {
                let x: Vec<f32> =
                    values(3 * cols, 1).iter().enumerate().map(|(i, v)| v * (1 + i / 400) as f32).collect();
                let mut rounded = Activations::default();
                rounded.round(isa, &x, cols);
                assert_eq!((rounded.rows(), rounded.pieces.len()), (3, 3 * rounded.pieces_of_a_row()));
                for (i, x) in x.iter().enumerate() {
                    let (row, col) = (i / cols, i % cols);
                    let piece = rounded.pieces[row * rounded.pieces_of_a_row() + col / rounded.piece];
                    let code = f32::from(rounded.codes[row * rounded.stride + col]);
                    assert!((piece.middle + code * piece.step - x).abs() <= 0.501 * piece.step);
                }
                for row in rounded.codes.chunks_exact(rounded.stride) {
                    assert!(row[cols..].iter().all(|code| *code == 0));
                }
            }
        }
    }
}

//! Products in int8: unsigned weights times signed activations, summed in 32 bits, with one scale for each row of both.
//!
//! ```text
//! weight row   nibbles -> bytes (codes.rs) -> panel (interleave.rs) --+
//!                                                                     +--> i32 sums -> f32 (tile/)
//! activations  f32 rows -> int8 rows, scales, sums (activations.rs) --+
//! ```

mod activations;
mod blocks;
mod codes;
mod rows;
mod tile;

use super::{interleave::interleave, Line, Output, LINES, WIDTH};
use crate::kernels::isa::Isa;
use crate::kernels::matrix::Matrix;

pub use activations::Activations;
pub use rows::round_row;

use codes::{Codes, ZERO};

/// One panel of a weight.
pub struct Panel {
    lines: Vec<Line>,
    scales: [f32; WIDTH],
}

impl Panel {
    /// Unpacks features `first..first + WIDTH` of `weight`, as far as there are.
    pub fn unpack(isa: Isa, weight: &Matrix, first: usize) -> Self {
        let words = weight.cols().div_ceil(4);
        let mut codes = Codes::new(isa, weight);
        let (mut lines, mut scales) = (vec![Line([0; 16]); words * LINES], [0.0; WIDTH]);
        let mut rows = vec![0u32; 16 * words];
        for quarter in 0..LINES {
            for (i, row) in rows.chunks_exact_mut(words).enumerate() {
                let feature = quarter * 16 + i;
                // SAFETY: a word is four bytes, and every pattern of them is valid.
                let bytes = unsafe { std::slice::from_raw_parts_mut(row.as_mut_ptr().cast::<u8>(), 4 * words) };
                let (bytes, padding) = bytes.split_at_mut(weight.cols());
                padding.fill(ZERO);
                if first + feature < weight.rows() {
                    scales[feature] = codes.read(first + feature, bytes);
                } else {
                    bytes.fill(ZERO);
                }
            }
            interleave(isa, &rows, words, quarter, &mut lines);
        }
        Self { lines, scales }
    }

    /// The products of all rows of `x` with this panel, which becomes the features from `output.first` on.
    pub fn multiply(&self, isa: Isa, x: &Activations, output: &mut Output) {
        tile::multiply(isa, x, &self.lines, &self.scales, output);
    }
}

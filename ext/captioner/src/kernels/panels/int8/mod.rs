//! Products in int8: unsigned weights times signed activations, summed in 32 bits. A row of a weight has one scale; a row of
//! activations is cut into pieces, each with a grid of its own, and the sums of a piece are added in `f32`.
//!
//! ```text
//! weight row   nibbles -> bytes (codes.rs) -> panel (interleave.rs) --+
//!                                                                     +--> i32 sums -> f32 (tile/)
//! activations  f32 rows -> int8 rows, grids, sums (activations.rs) ---+
//! ```
//!
//! With weights `w = scale (u - 128)` and activations `x = middle + step a`, the sum of `w x` over a piece is
//! `scale (step (Σ u a - 128 Σ a) + middle Σ (u - 128))`: the tiles sum `u a`, the rest is known before.

mod activations;
mod codes;
mod rounding;
mod tile;

use multiversion::multiversion;

use super::{interleave::interleave, Line, Output, LINES, WIDTH};
use crate::kernels::isa::Isa;
use crate::kernels::matrix::Matrix;

pub use activations::Activations;
pub use rounding::round_row;

use codes::{Codes, ZERO};

/// Most values of a piece. Pieces of half the length are hardly more exact and cost some percent of a product.
const PIECE: usize = 1024;

/// Values of a piece of a row of `cols`: pieces are about as long as each other, and whole words.
fn piece_len(cols: usize) -> usize {
    cols.div_ceil(cols.div_ceil(PIECE)).next_multiple_of(4)
}

/// One panel of a weight.
pub struct Panel {
    lines: Vec<Line>,
    scales: [f32; WIDTH],
    /// Of each piece, the sums of each feature's `u - 128`.
    sums: Vec<[f32; WIDTH]>,
}

impl Panel {
    /// Unpacks features `first..first + WIDTH` of `weight`, as far as there are.
    pub fn unpack(isa: Isa, weight: &Matrix, first: usize) -> Self {
        let (words, piece) = (weight.cols().div_ceil(4), piece_len(weight.cols()));
        let mut codes = Codes::new(isa, weight);
        let (mut lines, mut scales) = (vec![Line([0; 16]); words * LINES], [0.0; WIDTH]);
        let mut sums = vec![[0.0; WIDTH]; weight.cols().div_ceil(piece)];
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
                    for (bytes, sums) in bytes.chunks(piece).zip(&mut sums) {
                        sums[feature] = (sum(bytes) - i32::from(ZERO) * bytes.len() as i32) as f32;
                    }
                } else {
                    bytes.fill(ZERO);
                }
            }
            interleave(isa, &rows, words, quarter, &mut lines);
        }
        Self { lines, scales, sums }
    }

    /// The products of all rows of `x` with this panel, which becomes the features from `output.first` on.
    pub fn multiply(&self, isa: Isa, x: &Activations, output: &mut Output) {
        tile::multiply(isa, x, self, output);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw", "x86_64+avx2"))]
fn sum(bytes: &[u8]) -> i32 {
    bytes.iter().map(|byte| i32::from(*byte)).sum()
}

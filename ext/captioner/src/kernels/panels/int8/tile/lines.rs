//! What tiles of one line have in common: a line of features at a time, laid end to end so that its words stay in the
//! first-level cache while all rows pass.

use std::ops::Range;

use super::Activations;
use crate::kernels::panels::{Line, Output, LINES, WIDTH};

/// Rows of a tile.
pub const ROWS: usize = 6;

/// The sums of sixteen features for each row of a tile.
pub type Sums = [[i32; 16]; ROWS];

/// A tile: the rows' words, how many a row has, which of them to take, and the words of a line.
pub struct Tile<'a, W, L> {
    /// `[rows, stride]`
    pub codes: &'a [W],
    pub stride: usize,
    pub range: Range<usize>,
    /// `[stride]`
    pub words: &'a [L],
}

impl<W, L> Tile<'_, W, L> {
    /// Rows of this tile, at most [`ROWS`].
    #[inline(always)]
    pub fn rows(&self) -> usize {
        self.codes.len() / self.stride
    }
}

/// Runs `sum` over all tiles. `codes` are the words of `x` as the kernel reads them, `prepare` makes of a line's word what it
/// reads, and `offset` is what comes to the sums of each row and block (see [`Activations::offsets`]).
#[inline(always)]
pub fn by_lines<W, L>(
    (x, codes): (&Activations, &[W]),
    (lines, scales): (&[Line], &[f32]),
    output: &mut Output,
    prepare: impl Fn(&Line) -> L,
    offset: impl Fn(i32) -> i32,
    sum: impl Fn(Tile<W, L>, &mut Sums),
) {
    let stride = x.stride / 4;
    let mut totals = vec![[0f32; WIDTH]; x.rows];
    let mut sums = Sums::default();
    let mut words = Vec::with_capacity(stride);
    for line in 0..LINES {
        words.clear();
        words.extend(lines[line..].iter().step_by(LINES).map(&prepare));
        for (at, (codes, totals)) in codes.chunks(ROWS * stride).zip(totals.chunks_mut(ROWS)).enumerate() {
            for block in 0..x.blocks() {
                sum(Tile { codes, stride, range: x.words_of(block), words: &words }, &mut sums);
                for (row, (totals, sums)) in totals.iter_mut().zip(&sums).enumerate() {
                    let own = (ROWS * at + row) * x.blocks() + block;
                    let (offset, scale) = (offset(x.offsets[own]), x.scales[own]);
                    let totals = &mut totals.as_chunks_mut::<16>().0[line];
                    for (total, sum) in totals.iter_mut().zip(sums) {
                        *total += (sum + offset) as f32 * scale;
                    }
                }
            }
        }
    }
    for (row, totals) in totals.iter().enumerate() {
        output.finish(row, std::array::from_fn(|i| totals[i] * scales[i]));
    }
}

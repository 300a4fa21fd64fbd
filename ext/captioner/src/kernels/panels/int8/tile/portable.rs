//! The same sums with what every CPU of the target has: products of 16 bits, of which neighbours are added in 32 bits.

use super::Activations;
use crate::kernels::pairs::add_products;
use crate::kernels::panels::{Line, Output, LINES, WIDTH};

/// Rows of a tile.
const ROWS: usize = 2;

/// Features of a tile.
const FEATURES: usize = 8;

/// A word of a tile's features in 16 bits, two features in each part.
type Word = [[i16; 8]; FEATURES / 2];

/// For two features at a time: the sums over values 0 and 1 of a word and over values 2 and 3, of either.
type Sums = [[i32; 4]; FEATURES / 2];

pub fn multiply(x: &Activations, lines: &[Line], scales: &[f32], output: &mut Output) {
    let stride = x.stride / 4;
    let rows = x.widened();
    let mut words: Vec<Word> = vec![Word::default(); stride];
    let mut sums = vec![[0; WIDTH]; x.scales.len()];
    for first in (0..WIDTH).step_by(FEATURES) {
        for (word, line) in words.iter_mut().zip(lines[first / 16..].iter().step_by(LINES)) {
            let bytes = line.0[first % 16..][..FEATURES].iter().flat_map(|word| word.to_ne_bytes());
            word.iter_mut().flatten().zip(bytes).for_each(|(wide, byte)| *wide = i16::from(byte));
        }
        for (rows, sums) in rows.chunks(ROWS * stride).zip(sums.chunks_mut(ROWS)) {
            let sums = sums.iter_mut().map(|sums| &mut sums[first..][..FEATURES]);
            match rows.split_at(stride) {
                (one, []) => tile([one], &words, sums),
                (one, other) => tile([one, other], &words, sums),
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        let (scale, offset) = (x.scales[row], x.offsets[row]);
        output.finish(row, std::array::from_fn(|i| (sums[i] + offset) as f32 * scale * scales[i]));
    }
}

/// `M` rows times a tile's words.
#[inline(always)]
fn tile<'a, const M: usize>(rows: [&[[i16; 4]]; M], words: &[Word], out: impl Iterator<Item = &'a mut [i32]>) {
    let mut sums = [Sums::default(); M];
    for (at, word) in words.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let a = std::array::from_fn(|i| row[at][i % 4]);
            sums.iter_mut().zip(word).for_each(|(sums, w)| *sums = add_products(*sums, w, &a));
        }
    }
    for (sums, out) in sums.iter().zip(out) {
        out.iter_mut().zip(sums.as_flattened().chunks_exact(2)).for_each(|(out, halves)| *out = halves[0] + halves[1]);
    }
}

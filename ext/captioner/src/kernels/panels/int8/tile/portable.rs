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
    let mut sums = vec![[0.0; WIDTH]; x.rows];
    for first in (0..WIDTH).step_by(FEATURES) {
        for (word, line) in words.iter_mut().zip(lines[first / 16..].iter().step_by(LINES)) {
            let bytes = line.0[first % 16..][..FEATURES].iter().flat_map(|word| word.to_ne_bytes());
            word.iter_mut().flatten().zip(bytes).for_each(|(wide, byte)| *wide = i16::from(byte));
        }
        for (at, (rows, sums)) in rows.chunks(ROWS * stride).zip(sums.chunks_mut(ROWS)).enumerate() {
            for block in 0..x.blocks() {
                let own = x.words_of(block);
                let add = |row: usize, feature: usize, sum| {
                    sums[row][first + feature] += x.value(ROWS * at + row, block, sum);
                };
                match rows.split_at(stride) {
                    (one, []) => tile([&one[own.clone()]], &words[own], add),
                    (one, other) => tile([&one[own.clone()], &other[own.clone()]], &words[own], add),
                }
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        output.finish(row, std::array::from_fn(|i| sums[i] * scales[i]));
    }
}

/// `M` rows times some of a tile's words: gives `out` each row's sum for each feature.
#[inline(always)]
fn tile<const M: usize>(rows: [&[[i16; 4]]; M], words: &[Word], mut out: impl FnMut(usize, usize, i32)) {
    let mut sums = [Sums::default(); M];
    for (at, word) in words.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let a = std::array::from_fn(|i| row[at][i % 4]);
            sums.iter_mut().zip(word).for_each(|(sums, w)| *sums = add_products(*sums, w, &a));
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        let halves = sums.as_flattened().chunks_exact(2).enumerate();
        halves.for_each(|(feature, halves)| out(row, feature, halves[0] + halves[1]));
    }
}

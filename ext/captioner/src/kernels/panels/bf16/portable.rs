//! The same with multiply-adds in `f32`, one row at a time.

use multiversion::multiversion;

use super::Activations;
use crate::kernels::panels::{Line, Output, LINES, WIDTH};

pub fn multiply(x: &Activations, lines: &[Line], output: &mut Output) {
    for (row, words) in x.words.chunks_exact(x.stride).enumerate() {
        output.finish(row, sums(words, lines));
    }
}

/// A bf16 is the upper half of an `f32`: the first of a word is shifted there, the second is there already.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma"))]
fn sums(words: &[u32], lines: &[Line]) -> [f32; WIDTH] {
    let both = |word: u32| (f32::from_bits(word << 16), f32::from_bits(word & 0xFFFF_0000));
    let mut sums = [0.0; WIDTH];
    for (word, lines) in words.iter().zip(lines.chunks_exact(LINES)) {
        let a = both(*word);
        for (sums, line) in sums.chunks_exact_mut(16).zip(lines) {
            for (sum, word) in sums.iter_mut().zip(&line.0) {
                let w = both(*word);
                *sum += a.0 * w.0 + a.1 * w.1;
            }
        }
    }
    sums
}

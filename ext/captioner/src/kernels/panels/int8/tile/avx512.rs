//! Six rows times 64 features in 24 registers of sums, four dot products of four to an instruction (VNNI).

use std::arch::x86_64::*;

use super::Activations;
use crate::kernels::matrix::ActivationScales;
use crate::kernels::panels::avx512::{finish, Columns};
use crate::kernels::panels::{Line, Output, LINES};

/// Rows of a tile: with four registers of weights and one of activations, 24 of sums leave three of the 32 free.
const ROWS: usize = 6;

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub unsafe fn multiply(x: &Activations, lines: &[Line], scales: &[f32], output: &mut Output) {
    let columns = Columns::new(scales, output);
    for first in (0..x.rows).step_by(ROWS) {
        by_rows!(x.rows - first, [1 2 3 4 5] 6, tile(x, first, lines, &columns, output));
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tile<const M: usize>(x: &Activations, first: usize, lines: &[Line], columns: &Columns, output: &mut Output) {
    let codes = x.codes.as_ptr().add(first * x.stride);
    let mut sums = [[_mm512_setzero_si512(); LINES]; M];
    for (row, sums) in sums.iter_mut().enumerate() {
        *sums = [_mm512_set1_epi32(*x.offsets.get_unchecked(first + row)); LINES];
    }
    for word in 0..x.stride / 4 {
        add_word(codes.add(4 * word), x.stride, lines.as_ptr().add(word * LINES), &mut sums);
    }
    for (row, sums) in sums.into_iter().enumerate() {
        let scale = _mm512_set1_ps(*x.scales.get_unchecked(first + row));
        let sums = sums.map(|sum| _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale));
        finish(sums, first + row, 0, columns, output);
    }
}

/// Lines of a tile whose blocks have scales: their sums in `f32` need as many registers again.
const HALF: usize = LINES / 2;

/// As [`multiply`], for activations in blocks. Half of a panel at a time, of which the weights stay in the first-level cache.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub unsafe fn multiply_blocks(x: &Activations, lines: &[Line], scales: &[f32], output: &mut Output) {
    let columns = Columns::new(scales, output);
    for half in [0, HALF] {
        for first in (0..x.rows).step_by(ROWS) {
            by_rows!(x.rows - first, [1 2 3 4 5] 6, blocks(x, first, &lines[half..], half, &columns, output));
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn blocks<const M: usize>(
    x: &Activations,
    first: usize,
    lines: &[Line],
    half: usize,
    columns: &Columns,
    output: &mut Output,
) {
    /// Words of a block: their number is known, so that the loop over them has hardly a branch.
    const WORDS: usize = ActivationScales::BLOCK / 4;
    let (count, words) = (x.blocks(), x.stride / 4);
    let (scales, offsets) = (x.scales.as_ptr().add(first * count), x.offsets.as_ptr().add(first * count));
    let codes = x.codes.as_ptr().add(first * x.stride);
    let mut totals = [[_mm512_setzero_ps(); HALF]; M];
    for block in 0..count {
        let mut sums = [[_mm512_setzero_si512(); HALF]; M];
        for (row, sums) in sums.iter_mut().enumerate() {
            *sums = [_mm512_set1_epi32(*offsets.add(row * count + block)); HALF];
        }
        let start = block * WORDS;
        let (codes, lines) = (codes.add(4 * start), lines.as_ptr().add(start * LINES));
        if start + WORDS <= words {
            for four in (0..WORDS).step_by(4) {
                for word in 0..4 {
                    add_word(codes.add(4 * (four + word)), x.stride, lines.add((four + word) * LINES), &mut sums);
                }
            }
        } else {
            for word in 0..words - start {
                add_word(codes.add(4 * word), x.stride, lines.add(word * LINES), &mut sums);
            }
        }
        for (row, (totals, sums)) in totals.iter_mut().zip(sums).enumerate() {
            let scale = _mm512_set1_ps(*scales.add(row * count + block));
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, *total);
            }
        }
    }
    for (row, totals) in totals.into_iter().enumerate() {
        finish(totals, first + row, half, columns, output);
    }
}

/// Adds the products of a word of `M` rows, `stride` bytes apart, with some lines.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn add_word<const M: usize, const N: usize>(
    codes: *const i8,
    stride: usize,
    lines: *const Line,
    sums: &mut [[__m512i; N]; M],
) {
    let weights: [__m512i; N] = std::array::from_fn(|line| _mm512_load_si512(lines.add(line).cast()));
    for (row, sums) in sums.iter_mut().enumerate() {
        let a = _mm512_set1_epi32(codes.add(row * stride).cast::<i32>().read_unaligned());
        for (sum, weights) in sums.iter_mut().zip(weights) {
            *sum = _mm512_dpbusd_epi32(*sum, weights, a);
        }
    }
}

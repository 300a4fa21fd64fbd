//! Six rows times 64 features in 24 registers of sums, four dot products of four to an instruction (VNNI).

use std::arch::x86_64::*;

use super::Activations;
use crate::kernels::panels::avx512::{finish, Columns};
use crate::kernels::panels::{Line, Output, LINES};

/// Rows of a tile: with four registers of weights and one of activations, 24 of sums leave three of the 32 free.
const ROWS: usize = 6;

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub unsafe fn multiply(x: &Activations, lines: &[Line], scales: &[f32], output: &mut Output) {
    let columns = Columns::new(scales, output);
    let rows = x.scales.len();
    for first in (0..rows).step_by(ROWS) {
        by_rows!(rows - first, [1 2 3 4 5] 6, tile(x, first, lines, &columns, output));
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
        let weights: [__m512i; LINES] =
            std::array::from_fn(|line| _mm512_load_si512(lines.as_ptr().add(word * LINES + line).cast()));
        for (row, sums) in sums.iter_mut().enumerate() {
            let a = _mm512_set1_epi32(codes.add(row * x.stride + 4 * word).cast::<i32>().read_unaligned());
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = _mm512_dpbusd_epi32(*sum, weights, a);
            }
        }
    }
    for (row, sums) in sums.into_iter().enumerate() {
        let scale = _mm512_set1_ps(*x.scales.get_unchecked(first + row));
        let sums = sums.map(|sum| _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale));
        finish(sums, first + row, columns, output);
    }
}

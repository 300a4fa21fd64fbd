//! Six rows times 64 features in 24 registers of sums, two products to a lane (AVX512-BF16).

use std::arch::x86_64::*;
use std::mem::transmute;

use super::Activations;
use crate::kernels::panels::avx512::{finish, Columns};
use crate::kernels::panels::{Line, Output, LINES, WIDTH};

/// Rows of a tile: with four registers of weights and one of activations, 24 of sums leave three of the 32 free.
const ROWS: usize = 6;

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn multiply(x: &Activations, lines: &[Line], output: &mut Output) {
    let columns = Columns::new(&[1.0; WIDTH], output);
    for first in (0..x.rows).step_by(ROWS) {
        by_rows!(x.rows - first, [1 2 3 4 5] 6, tile(x, first, lines, &columns, output));
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn tile<const M: usize>(x: &Activations, first: usize, lines: &[Line], columns: &Columns, output: &mut Output) {
    let words = x.words.as_ptr().add(first * x.stride);
    let mut sums = [[_mm512_setzero_ps(); LINES]; M];
    for word in 0..x.stride {
        let weights: [__m512i; LINES] =
            std::array::from_fn(|line| _mm512_load_si512(lines.as_ptr().add(word * LINES + line).cast()));
        for (row, sums) in sums.iter_mut().enumerate() {
            let a = _mm512_set1_epi32(*words.add(row * x.stride + word) as i32);
            for (sum, weights) in sums.iter_mut().zip(weights) {
                // SAFETY: both types are the same 512 bits.
                *sum =
                    _mm512_dpbf16_ps(*sum, transmute::<__m512i, __m512bh>(weights), transmute::<__m512i, __m512bh>(a));
            }
        }
    }
    for (row, sums) in sums.into_iter().enumerate() {
        finish(sums, first + row, 0, columns, output);
    }
}

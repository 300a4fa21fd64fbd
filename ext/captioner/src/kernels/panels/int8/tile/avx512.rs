//! Six rows times 64 features in 24 registers of sums, four dot products of four to an instruction (VNNI).

use std::arch::x86_64::*;

use super::{Activations, Panel};
use crate::kernels::panels::avx512::{by_epilogue, finish, Columns, Finish};
use crate::kernels::panels::{Output, LINES};

/// Rows of a tile: with four registers of weights and one of activations, 24 of sums leave three of the 32 free.
const ROWS: usize = 6;

/// What the pieces of a tile add up to, as long as another one follows.
type Totals = [[__m512; LINES]; ROWS];

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub unsafe fn multiply(x: &Activations, panel: &Panel, output: &mut Output) {
    by_epilogue!(output.epilogue, rows(x, panel, output));
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn rows<F: Finish>(x: &Activations, panel: &Panel, output: &mut Output) {
    let columns = Columns::new(&panel.scales, output);
    if panel.sums.len() == 1 {
        for first in (0..x.rows()).step_by(ROWS) {
            by_rows!(x.rows() - first, [1 2 3 4 5] 6, whole<F>(x, first, panel, &columns, output));
        }
        return;
    }
    // Whoever could see all of its uses would keep it in registers, which the sums need.
    let mut totals = [[_mm512_setzero_ps(); LINES]; ROWS];
    let totals: &mut Totals = std::hint::black_box(&mut totals);
    for first in (0..x.rows()).step_by(ROWS) {
        by_rows!(x.rows() - first, [1 2 3 4 5] 6, pieces<F>(x, first, panel, &columns, totals, output));
    }
}

/// A tile of rows of one piece.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn whole<const M: usize, F: Finish>(
    x: &Activations,
    first: usize,
    panel: &Panel,
    columns: &Columns,
    output: &mut Output,
) {
    let sums = piece::<M>(x, first, panel, 0);
    for (row, sums) in (first..).zip(sums) {
        finish::<F>(scaled(sums, x, row, panel, 0, [_mm512_setzero_ps(); LINES]), row, columns, output);
    }
}

/// A tile of rows of several pieces.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn pieces<const M: usize, F: Finish>(
    x: &Activations,
    first: usize,
    panel: &Panel,
    columns: &Columns,
    totals: &mut Totals,
    output: &mut Output,
) {
    let last = panel.sums.len() - 1;
    all_but_last::<M>(x, first, panel, totals);
    let sums = piece::<M>(x, first, panel, last);
    for row in 0..M {
        finish::<F>(scaled(sums[row], x, first + row, panel, last, totals[row]), first + row, columns, output);
    }
}

/// What the pieces but the last one add up to.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn all_but_last<const M: usize>(x: &Activations, first: usize, panel: &Panel, totals: &mut Totals) {
    for number in 0..panel.sums.len() - 1 {
        let sums = piece::<M>(x, first, panel, number);
        for row in 0..M {
            let before = if number == 0 { [_mm512_setzero_ps(); LINES] } else { totals[row] };
            totals[row] = scaled(sums[row], x, first + row, panel, number, before);
        }
    }
}

/// The sums over piece `number` of `M` rows.
#[inline(always)]
unsafe fn piece<const M: usize>(x: &Activations, first: usize, panel: &Panel, number: usize) -> [[__m512i; LINES]; M] {
    let codes = x.codes.as_ptr().add(first * x.stride);
    let whole = x.piece / 4;
    let mut sums = [[_mm512_setzero_si512(); LINES]; M];
    for (row, sums) in sums.iter_mut().enumerate() {
        let grid = x.pieces.get_unchecked((first + row) * panel.sums.len() + number);
        *sums = [_mm512_set1_epi32(grid.offset); LINES];
    }
    for word in number * whole..(x.stride / 4).min((number + 1) * whole) {
        let weights: [__m512i; LINES] =
            std::array::from_fn(|line| _mm512_load_si512(panel.lines.as_ptr().add(word * LINES + line).cast()));
        for (row, sums) in sums.iter_mut().enumerate() {
            let a = _mm512_set1_epi32(codes.add(row * x.stride + 4 * word).cast::<i32>().read_unaligned());
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = _mm512_dpbusd_epi32(*sum, weights, a);
            }
        }
    }
    sums
}

/// `totals` and the products that the sums over piece `number` of row `row` stand for, but for the weights' scale.
#[inline(always)]
unsafe fn scaled(
    sums: [__m512i; LINES],
    x: &Activations,
    row: usize,
    panel: &Panel,
    number: usize,
    totals: [__m512; LINES],
) -> [__m512; LINES] {
    let grid = x.pieces.get_unchecked(row * panel.sums.len() + number);
    let (step, middle) = (_mm512_set1_ps(grid.step), _mm512_set1_ps(grid.middle));
    let weights = panel.sums.get_unchecked(number).as_ptr();
    std::array::from_fn(|line| {
        let rest = _mm512_fmadd_ps(_mm512_loadu_ps(weights.add(16 * line)), middle, totals[line]);
        _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[line]), step, rest)
    })
}

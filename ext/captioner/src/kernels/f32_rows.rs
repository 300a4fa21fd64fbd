//! Exact products of many rows: the weight is unpacked panel by panel.

use std::cell::RefCell;
use std::ops::Range;

use super::elementwise::multiply;
use super::epilogue::activate;
use super::product::{product, transpose, Left, Out, Right, Start};
use super::{Epilogue, Matrix, Scratch};

/// Output features that are unpacked at a time.
const PANEL: usize = 64;
/// Rows of a panel that are unpacked before they are turned into columns.
const UNPACKED: usize = 16;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Exact products of any number of rows on the calling thread.
pub fn f32_rows(x: &[f32], w: &Matrix, bias: Option<&[f32]>, epilogue: Epilogue, out: &mut [f32]) {
    let (n, k) = (w.rows(), w.cols());
    let m = x.len() / k;
    // Factors stay where they are until their products are there.
    let mut products = Scratch::take(if epilogue == Epilogue::Multiply { m * PANEL.min(n) } else { 0 });
    SCRATCH.with_borrow_mut(|scratch| {
        grow(scratch, (PANEL + UNPACKED) * k);
        let (panel, rows) = scratch.split_at_mut(PANEL * k);
        for first in (0..n).step_by(PANEL) {
            let width = PANEL.min(n - first);
            unpack_transposed(w, first..first + width, rows, panel);
            let place = match epilogue {
                Epilogue::Multiply => Out { values: &mut products, row: width },
                _ => Out { values: &mut out[first..], row: n },
            };
            product(
                (m, width, k),
                Left { values: x, row: k, step: 1 },
                Right { values: panel, row: width },
                Start { bias: bias.map(|bias| &bias[first..]), out: epilogue == Epilogue::Add },
                place,
            );
            let rows = out.chunks_exact_mut(n).map(|row| &mut row[first..first + width]);
            match epilogue {
                Epilogue::Multiply => rows.zip(products.chunks_exact(width)).for_each(|(row, p)| multiply(row, p)),
                _ => rows.for_each(|row| activate(row, epilogue)),
            }
        }
    });
}

/// Writes `features` of the weight as columns to `panel`, `[cols, features]`; `rows` is room for [`UNPACKED`] of them.
fn unpack_transposed(w: &Matrix, features: Range<usize>, rows: &mut [f32], panel: &mut [f32]) {
    let (k, width) = (w.cols(), features.len());
    for done in (0..width).step_by(UNPACKED) {
        let count = UNPACKED.min(width - done);
        w.dequantize_rows(features.start + done..features.start + done + count, &mut rows[..count * k]);
        transpose(rows, k, (count, k), &mut panel[done..], width);
    }
}

/// Makes room; what is there need not be cleared, as it is overwritten before it is read.
fn grow(scratch: &mut Vec<f32>, len: usize) {
    if scratch.len() < len {
        scratch.resize(len, 0.0);
    }
}

//! `out = x · Wᵀ + bias` for a weight in any storage.
//!
//! Many rows (vision, encoder): each task takes a run of them. In int8 and bf16 the weight is unpacked once for all tasks
//! ([`Ready`]); in `f32` each task unpacks it panel by panel into its scratch, turned so that output features lie side by
//! side. Few rows (a decoder step, one row per beam): [`few_rows`].

use std::cell::RefCell;
use std::ops::Range;

use multiversion::multiversion;
use rayon::prelude::*;

use super::elementwise::{self, multiply};
use super::few_rows::{few_rows, FEW_ROWS};
use super::product::{product, transpose, Left, Out, Right, Start};
use super::{Matrix, Ready, Scratch, TILE_ROWS};

/// Output features that are unpacked at a time.
const PANEL: usize = 64;
/// Rows of a panel that are unpacked before they are turned into columns.
const UNPACKED: usize = 16;

/// What happens to a product before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epilogue {
    /// `out = product`
    Store,
    /// `out = gelu(product)`
    Gelu,
    /// `out = gelu(product)`, approximated with tanh
    GeluTanh,
    /// `out = silu(product)`
    Silu,
    /// `out = max(product, 0)`
    Relu,
    /// `out += product`
    Add,
    /// `out *= product`: what a gate's product, activated before, lets through
    Multiply,
}

/// One of several products with the same `x`.
pub struct Job<'a> {
    pub weight: &'a Matrix,
    /// `[rows]`
    pub bias: Option<&'a [f32]>,
    /// `[m, rows]`
    pub out: &'a mut [f32],
}

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// `out = epilogue(x · wᵀ + bias)` on all threads of the pool. `x`: `[m, cols]`, `out`: `[m, rows]`, both row-major; `bias`:
/// `[rows]` or nothing.
pub fn matmul(x: &[f32], w: &Matrix, bias: Option<&[f32]>, epilogue: Epilogue, out: &mut [f32]) {
    let m = x.len() / w.cols();
    assert!(x.len() == m * w.cols() && out.len() == m * w.rows(), "matmul: shapes do not fit");
    if m <= FEW_ROWS {
        return few_rows(x, vec![Job { weight: w, bias, out }], epilogue);
    }
    let ready = Ready::new(w, m);
    let tile = (4 * TILE_ROWS).min(m.div_ceil(rayon::current_num_threads())).max(FEW_ROWS + 1);
    out.par_chunks_mut(tile * w.rows())
        .zip(x.par_chunks(tile * w.cols()))
        .for_each(|(out, x)| ready.multiply(x, bias, epilogue, out));
}

/// `out = x · weightᵀ + bias` for each job. Few rows are worked off together, so that threads meet once for all of them.
pub fn matmul_each(x: &[f32], jobs: Vec<Job>) {
    match jobs.first() {
        Some(job) if x.len() / job.weight.cols() <= FEW_ROWS => few_rows(x, jobs, Epilogue::Store),
        _ => jobs.into_iter().for_each(|job| matmul(x, job.weight, job.bias, Epilogue::Store, job.out)),
    }
}

/// Exact products of any number of rows on the calling thread.
pub(super) fn f32_rows(x: &[f32], w: &Matrix, bias: Option<&[f32]>, epilogue: Epilogue, out: &mut [f32]) {
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

/// What the epilogue does to products before they are written, added or multiplied.
pub(super) fn activate(row: &mut [f32], epilogue: Epilogue) {
    match epilogue {
        Epilogue::Store | Epilogue::Add | Epilogue::Multiply => {}
        Epilogue::Gelu => elementwise::gelu(row),
        Epilogue::GeluTanh => elementwise::gelu_tanh(row),
        Epilogue::Silu => elementwise::silu(row),
        Epilogue::Relu => row.iter_mut().for_each(|v| *v = v.max(0.0)),
    }
}

/// Dot product in 64 lanes.
#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma"))]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 64;
    let mut lanes = [0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    // By halves, which are vectors; one after the other would take longer than all before it.
    let mut width = LANES / 2;
    while width > 0 {
        let (low, high) = lanes[..2 * width].split_at_mut(width);
        low.iter_mut().zip(high).for_each(|(low, high)| *low += *high);
        width /= 2;
    }
    lanes[0] + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::values;
    use crate::kernels::{Buffer, Storage};
    use crate::quant::FloatType;

    /// The plain triple loop that the kernels are tested against.
    fn scalar(x: &[f32], w: &[f32], bias: &[f32], n: usize, k: usize) -> Vec<f32> {
        x.chunks_exact(k)
            .flat_map(|x| (0..n).map(move |j| bias[j] + (0..k).map(|i| x[i] * w[j * k + i]).sum::<f32>()))
            .collect()
    }

    #[test]
    fn equals_the_triple_loop_over_odd_shapes() {
        for (m, n, k) in [(1, 1, 1), (3, 70, 65), (8, 129, 64), (9, 63, 130), (37, 200, 33), (1100, 65, 16)] {
            let (x, w, bias) = (values(m * k, 1), values(n * k, 2), values(n, 3));
            let bytes = w.iter().flat_map(|v| v.to_le_bytes()).collect();
            let matrix = Matrix::new(n, k, Storage::Float(FloatType::F32, Buffer::owned(bytes))).unwrap();
            let expected = scalar(&x, &w, &bias, n, k);
            let mut out = vec![1.0; m * n];
            matmul(&x, &matrix, Some(&bias), Epilogue::Store, &mut out);
            let mut sum = vec![1.0; m * n];
            matmul(&x, &matrix, Some(&bias), Epilogue::Add, &mut sum);
            let mut times = vec![2.0; m * n];
            matmul(&x, &matrix, Some(&bias), Epilogue::Multiply, &mut times);
            for i in 0..m * n {
                assert!((out[i] - expected[i]).abs() < 1e-3, "{m}x{n}x{k} at {i}: {} {}", out[i], expected[i]);
                assert!((sum[i] - 1.0 - expected[i]).abs() < 1e-3, "{m}x{n}x{k} add at {i}");
                assert!((times[i] - 2.0 * expected[i]).abs() < 2e-3, "{m}x{n}x{k} multiply at {i}");
            }
        }
    }
}

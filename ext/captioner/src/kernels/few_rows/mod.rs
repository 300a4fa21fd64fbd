//! Products with few rows, as a decoder's step has them: one a beam. Every weight is read once for all of them.
//!
//! ```text
//!            blocks.rs   4-bit blocks: codes looked up in registers, int8 dot products with rounded.rs, a scale a block
//!  weight -> bytes.rs    int8 rows: the same without the look-up
//!            floats.rs   f16, bf16, f32: widened in registers, f32 dot products
//!            else        rows of f32, one at a time
//! ```
//!
//! Threads split the output features. Within a thread sixteen features are worked off at a time, so that their sums leave
//! the registers as vectors.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod blocks;
mod bytes;
mod floats;
mod group;
#[cfg(target_arch = "aarch64")]
mod neon;
mod rounded;
mod scales;

use std::ops::Range;
use std::sync::Arc;

use super::dot::dot;
use super::epilogue::{activate, Epilogue};
use super::{elementwise, Arithmetic, Isa, Matrix, Storage};
use crate::runtime;

use rounded::{Order, Rounded};

/// Up to this many rows of `x` the weights are read once for all of them.
pub const FEW_ROWS: usize = 8;

/// One of several products with the same `x`.
pub struct Job<'a> {
    pub weight: &'a Matrix,
    /// `[rows]`
    pub bias: Option<&'a [f32]>,
    /// `[m, rows]`
    pub out: &'a mut [f32],
}

/// Features that a kernel works off at a time.
const GROUP: usize = 16;

/// Weights that a task should have at least, so that small layers are not torn apart.
const TASK: usize = 1 << 17;

/// The sums of a group for each row of `x`: `sums[row][feature]`.
type Sums = [[f32; GROUP]; FEW_ROWS];

/// How the features of one weight are summed.
enum Kernel<'a> {
    Blocks(blocks::Blocks<'a>),
    Bytes(bytes::Bytes<'a>),
    Floats(floats::Floats<'a>),
    Rows { weight: &'a Matrix, x: &'a [f32] },
}

/// `out = epilogue(x · weightᵀ + bias)` of every job for at most [`FEW_ROWS`] rows, on all threads, which meet once.
pub fn few_rows(x: &[f32], jobs: Vec<Job>, epilogue: Epilogue) {
    let isa = Isa::current();
    let orders: Vec<_> = jobs.iter().map(|job| order_for(job.weight)).collect();
    let rounded = Order::ALL.map(|order| {
        let job = jobs.iter().zip(&orders).find(|(_, own)| **own == Some(order));
        job.map(|(job, _)| Rounded::new(isa, x, job.weight.cols(), order))
    });
    let mut tasks = Vec::new();
    for (job, order) in jobs.into_iter().zip(orders) {
        let rounded = order.and_then(|order| rounded[order as usize].as_ref());
        split(x, Kernel::new(isa, job.weight, x, rounded), job, &mut tasks);
    }
    runtime::each(&mut tasks, |task| task.run(epilogue));
}

/// Some features of one job.
struct Task<'a> {
    kernel: Arc<Kernel<'a>>,
    features: Range<usize>,
    bias: Option<&'a [f32]>,
    /// The features' part of each row of the output.
    out: Vec<&'a mut [f32]>,
}

impl Task<'_> {
    fn run(&mut self, epilogue: Epilogue) {
        self.kernel.run(self.features.clone(), self.bias, epilogue, &mut self.out);
    }
}

/// Tears a job into tasks of a good size.
fn split<'a>(x: &[f32], kernel: Kernel<'a>, job: Job<'a>, tasks: &mut Vec<Task<'a>>) {
    let (n, k) = (job.weight.rows(), job.weight.cols());
    let rows = x.len() / k;
    assert!(rows <= FEW_ROWS && x.len() == rows * k && job.out.len() == rows * n, "few_rows: shapes do not fit");
    let count = (n * k / TASK).clamp(1, 4 * rayon::current_num_threads());
    let run = n.div_ceil(count).next_multiple_of(GROUP);
    let (kernel, first) = (Arc::new(kernel), tasks.len());
    tasks.extend((0..n).step_by(run).map(|start| Task {
        kernel: kernel.clone(),
        features: start..n.min(start + run),
        bias: job.bias,
        out: Vec::with_capacity(rows),
    }));
    for row in job.out.chunks_exact_mut(n) {
        tasks[first..].iter_mut().zip(row.chunks_mut(run)).for_each(|(task, part)| task.out.push(part));
    }
}

/// In which order the kernel of this weight reads rows in int8, if it is to be multiplied so.
fn order_for(w: &Matrix) -> Option<Order> {
    if w.arithmetic() != Arithmetic::Int8 {
        return None;
    }
    match w.storage() {
        Storage::Blocks { .. } => blocks::fits(w).then_some(Order::Nibbles),
        Storage::Int8 { .. } => Some(Order::Natural),
        Storage::Float(..) => None,
    }
}

impl<'a> Kernel<'a> {
    fn new(isa: Isa, weight: &'a Matrix, x: &'a [f32], rounded: Option<&'a Rounded>) -> Self {
        match (weight.storage(), rounded) {
            (Storage::Blocks { .. }, Some(x)) => Kernel::Blocks(blocks::Blocks::new(isa, weight, x)),
            (Storage::Int8 { .. }, Some(x)) => Kernel::Bytes(bytes::Bytes::new(isa, weight, x)),
            (Storage::Float(..), _) => Kernel::Floats(floats::Floats::new(isa, weight, x)),
            _ => Kernel::Rows { weight, x },
        }
    }

    /// Computes `features` and writes each row's part to `out`.
    fn run(&self, features: Range<usize>, bias: Option<&[f32]>, epilogue: Epilogue, out: &mut [&mut [f32]]) {
        let mut scratch = Vec::new();
        let mut sums: Sums = [[0.0; GROUP]; FEW_ROWS];
        for first in features.clone().step_by(GROUP) {
            let count = GROUP.min(features.end - first);
            match self {
                Kernel::Blocks(kernel) => kernel.sum(first, count, &mut scratch, &mut sums),
                Kernel::Bytes(kernel) => kernel.sum(first, count, &mut sums),
                Kernel::Floats(kernel) => kernel.sum(first, count, &mut sums),
                Kernel::Rows { weight, x } => sum_rows(weight, x, first, count, &mut scratch, &mut sums),
            }
            for (out, sums) in out.iter_mut().zip(&mut sums) {
                let sums = &mut sums[..count];
                if let Some(bias) = bias {
                    elementwise::add(sums, &bias[first..first + count]);
                }
                activate(sums, epilogue);
                let out = &mut out[first - features.start..][..count];
                match epilogue {
                    Epilogue::Add => elementwise::add(out, sums),
                    Epilogue::Multiply => elementwise::multiply(out, sums),
                    _ => out.copy_from_slice(sums),
                }
            }
        }
    }
}

/// The way for every storage: a row of the weight in `f32`, then its products.
fn sum_rows(weight: &Matrix, x: &[f32], first: usize, count: usize, row: &mut Vec<f32>, sums: &mut Sums) {
    row.resize(weight.cols(), 0.0);
    for i in 0..count {
        weight.dequantize_rows(first + i..first + i + 1, row);
        for (x, sums) in x.chunks_exact(weight.cols()).zip(sums.iter_mut()) {
            sums[i] = dot(x, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::{int8, nf4, nf4_double, values};
    use crate::kernels::{Buffer, Compute};
    use crate::quant::FloatType;
    use half::{bf16, f16};

    fn floats(kind: FloatType, rows: usize, cols: usize) -> Matrix {
        let values = values(rows * cols, 23);
        let bytes = match kind {
            FloatType::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            FloatType::F16 => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
            FloatType::Bf16 => values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect(),
        };
        Matrix::new(rows, cols, Storage::Float(kind, Buffer::owned(bytes))).unwrap()
    }

    /// Sums of exact products; how far rounding both sides to int8 may move them is measured against the vectors' lengths.
    fn check(weight: &Matrix, rows: usize, tolerance: f64) {
        let (n, k) = (weight.rows(), weight.cols());
        let (x, w, bias) = (values(rows * k, 5), weight.to_vec(), values(n, 6));
        for isa in Isa::available() {
            let rounded = order_for(weight).map(|order| Rounded::new(isa, &x, k, order));
            let kernel = Kernel::new(isa, weight, &x, rounded.as_ref());
            let mut out = vec![1.0; rows * n];
            let mut parts: Vec<&mut [f32]> = out.chunks_exact_mut(n).collect();
            kernel.run(0..n, Some(&bias), Epilogue::Add, &mut parts);
            for (i, out) in out.iter().enumerate() {
                let (x, w) = (&x[i / n * k..][..k], &w[i % n * k..][..k]);
                let products = || x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b));
                let expected = 1.0 + f64::from(bias[i % n]) + products().sum::<f64>();
                let length = products().map(|v| v * v).sum::<f64>().sqrt();
                let error = (f64::from(*out) - expected).abs();
                assert!(error <= tolerance * length + 1e-4, "{isa:?} {rows}x{n}x{k} at {i}: {out} {expected}");
            }
        }
    }

    #[test]
    fn every_kernel_is_close_to_the_exact_sums() {
        for rows in 1..=FEW_ROWS {
            for (n, k) in [(1, 64), (17, 128), (33, 192), (48, 1088), (5, 2048)] {
                check(&nf4(n, k, 64).computing(Compute::Fast), rows, 0.05);
                check(&nf4_double(n, k).computing(Compute::Fast), rows, 0.05);
                check(&int8(n, k + 5).computing(Compute::Fast), rows, 0.05);
                for kind in [FloatType::F32, FloatType::F16, FloatType::Bf16] {
                    check(&floats(kind, n, k + 3), rows, 1e-5);
                }
            }
            check(&nf4(9, 128, 128).computing(Compute::Fast), rows, 0.05);
            check(&nf4(9, 147, 64).computing(Compute::Fast), rows, 1e-5);
            check(&nf4(9, 128, 32).computing(Compute::Fast), rows, 1e-5);
            check(&nf4(9, 128, 64), rows, 1e-5);
        }
    }

    #[test]
    fn threads_split_the_features_of_all_jobs() {
        let (rows, k) = (3, 128);
        let weights = [nf4_double(5133, k), int8(40, k), nf4(70, k, 64)].map(|weight| weight.computing(Compute::Fast));
        let x = values(rows * k, 8);
        let mut outs = weights.each_ref().map(|weight| vec![0.0; rows * weight.rows()]);
        let jobs = weights.iter().zip(&mut outs).map(|(weight, out)| Job { weight, bias: None, out });
        few_rows(&x, jobs.collect(), Epilogue::Store);
        for (weight, out) in weights.iter().zip(&outs) {
            let (n, isa) = (weight.rows(), Isa::current());
            let mut alone = vec![0.0; rows * n];
            let rounded = order_for(weight).map(|order| Rounded::new(isa, &x, k, order));
            let mut parts: Vec<&mut [f32]> = alone.chunks_exact_mut(n).collect();
            Kernel::new(isa, weight, &x, rounded.as_ref()).run(0..n, None, Epilogue::Store, &mut parts);
            assert_eq!(*out, alone);
        }
    }
}

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
//! the registers as vectors; more than [`FEW_ROWS`] rows meet them in parts, while they are in the first-level cache.
//!
//! A row's sums are added up in an order that does not depend on the rows beside it: several captions' rows give the same bits
//! as each caption's alone.

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

/// Rows that a kernel multiplies at a time, and the most of one sequence that are multiplied here.
pub const FEW_ROWS: usize = 8;

/// By which kernels rows meet a weight, which decides in what order, and with what rounding, a sum is made. So it is chosen by
/// the rows of one sequence, and never by how many sequences are worked on together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regime {
    /// Those of this module.
    Few,
    /// Those of [`super::Ready`].
    Many,
}

impl Regime {
    /// For a sequence of so many rows.
    pub fn of(rows: usize) -> Self {
        if rows <= FEW_ROWS {
            Self::Few
        } else {
            Self::Many
        }
    }
}

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

/// `out = epilogue(x · weightᵀ + bias)` of every job, on all threads, which meet once. For a few rows, or a few of each of
/// several sequences.
pub fn few_rows(x: &[f32], jobs: Vec<Job>, epilogue: Epilogue) {
    let Some(k) = jobs.first().map(|job| job.weight.cols()) else { return };
    let (isa, rows) = (Isa::current(), x.len() / k);
    let part = part(rows);
    let orders: Vec<_> = jobs.iter().map(|job| order_for(job.weight)).collect();
    let rounded = Order::ALL.map(|order| {
        let mut parts: Vec<_> = x.chunks(part * k).map(|x| (x, None)).collect();
        if orders.contains(&Some(order)) {
            runtime::each(&mut parts, |(x, rounded)| *rounded = Some(Rounded::new(isa, x, k, order)));
        }
        parts
    });
    let mut tasks = Vec::new();
    for (job, order) in jobs.into_iter().zip(orders) {
        let fits = job.weight.cols() == k && x.len() == rows * k && job.out.len() == rows * job.weight.rows();
        assert!(fits, "few_rows: shapes do not fit");
        let parts = rounded[order.unwrap_or(Order::Natural) as usize].iter();
        let kernels = parts.map(|(x, rounded)| Kernel::new(isa, job.weight, x, order.and(rounded.as_ref())));
        split(kernels.collect(), part, job, &mut tasks);
    }
    runtime::each(&mut tasks, |task| task.run(epilogue));
}

/// Rows of a part: at most [`FEW_ROWS`], in parts of about the same size.
fn part(rows: usize) -> usize {
    rows.div_ceil(rows.div_ceil(FEW_ROWS).max(1)).max(1)
}

/// Some features of one job.
struct Task<'a> {
    /// One for each part of the rows.
    kernels: Arc<[Kernel<'a>]>,
    part: usize,
    features: Range<usize>,
    bias: Option<&'a [f32]>,
    /// The features' part of each row of the output.
    out: Vec<&'a mut [f32]>,
}

impl Task<'_> {
    fn run(&mut self, epilogue: Epilogue) {
        let mut scratch = Vec::new();
        let end = self.features.end;
        for first in self.features.clone().step_by(GROUP) {
            let (group, at) = (first..end.min(first + GROUP), first - self.features.start);
            for (kernel, out) in self.kernels.iter().zip(self.out.chunks_mut(self.part)) {
                kernel.run(group.clone(), self.bias, epilogue, &mut scratch, at, out);
            }
        }
    }
}

/// Tears a job into tasks of a good size.
fn split<'a>(kernels: Arc<[Kernel<'a>]>, part: usize, job: Job<'a>, tasks: &mut Vec<Task<'a>>) {
    let (n, k) = (job.weight.rows(), job.weight.cols());
    let count = (n * k / TASK).clamp(1, 4 * rayon::current_num_threads());
    let run = n.div_ceil(count).next_multiple_of(GROUP);
    let first = tasks.len();
    tasks.extend((0..n).step_by(run).map(|start| Task {
        kernels: kernels.clone(),
        part,
        features: start..n.min(start + run),
        bias: job.bias,
        out: Vec::with_capacity(job.out.len() / n),
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

    /// Computes a group of features and writes them to each row of `out`, from `at` on.
    fn run(
        &self,
        features: Range<usize>,
        bias: Option<&[f32]>,
        epilogue: Epilogue,
        scratch: &mut Vec<f32>,
        at: usize,
        out: &mut [&mut [f32]],
    ) {
        let (first, count) = (features.start, features.len());
        let mut sums: Sums = [[0.0; GROUP]; FEW_ROWS];
        match self {
            Kernel::Blocks(kernel) => kernel.sum(first, count, scratch, &mut sums),
            Kernel::Bytes(kernel) => kernel.sum(first, count, &mut sums),
            Kernel::Floats(kernel) => kernel.sum(first, count, &mut sums),
            Kernel::Rows { weight, x } => sum_rows(weight, x, first, count, scratch, &mut sums),
        }
        for (out, sums) in out.iter_mut().zip(&mut sums) {
            let sums = &mut sums[..count];
            if let Some(bias) = bias {
                elementwise::add(sums, &bias[features.clone()]);
            }
            activate(sums, epilogue);
            let out = &mut out[at..][..count];
            match epilogue {
                Epilogue::Add => elementwise::add(out, sums),
                Epilogue::Multiply => elementwise::multiply(out, sums),
                _ => out.copy_from_slice(sums),
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
            run(kernel, Some(&bias), Epilogue::Add, rows, n, &mut out);
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
            run(Kernel::new(isa, weight, &x, rounded.as_ref()), None, Epilogue::Store, rows, n, &mut alone);
            assert_eq!(*out, alone);
        }
    }

    /// On every instruction set: what rows give alone, they give bit for bit among others, however many.
    #[test]
    fn a_row_does_not_depend_on_its_neighbours() {
        let (n, k) = (70, 192);
        let weights = [nf4_double(n, k), nf4(n, k, 64), int8(n, k)].map(|weight| weight.computing(Compute::Fast));
        let floats = [FloatType::F32, FloatType::F16, FloatType::Bf16].map(|kind| floats(kind, n, k));
        let rows_of_f32 = nf4(n, k, 32);
        for weight in weights.iter().chain(&floats).chain([&rows_of_f32]) {
            for isa in Isa::available() {
                let sums = |x: &[f32]| {
                    let rounded = order_for(weight).map(|order| Rounded::new(isa, x, k, order));
                    let mut out = vec![0.0; x.len() / k * n];
                    let kernel = Kernel::new(isa, weight, x, rounded.as_ref());
                    run(kernel, None, Epilogue::Gelu, x.len() / k, n, &mut out);
                    out
                };
                let x = values(FEW_ROWS * k, 31);
                let alone: Vec<f32> = x.chunks(k).flat_map(sums).collect();
                for rows in 1..=FEW_ROWS {
                    assert_eq!(sums(&x[..rows * k]), alone[..rows * n], "{isa:?} {rows} rows");
                }
            }
            let x = values(48 * k, 32);
            let product = |x: &[f32]| {
                let mut out = vec![0.0; x.len() / k * n];
                few_rows(x, vec![Job { weight, bias: None, out: &mut out }], Epilogue::Store);
                out
            };
            for (rows, own) in [(9, 3), (12, 3), (20, 5), (48, 3)] {
                let alone: Vec<f32> = x[..rows * k].chunks(own * k).flat_map(product).collect();
                assert_eq!(product(&x[..rows * k]), alone, "{rows} rows");
            }
        }
    }

    fn run(kernel: Kernel, bias: Option<&[f32]>, epilogue: Epilogue, part: usize, n: usize, out: &mut [f32]) {
        let out = out.chunks_exact_mut(n).collect();
        Task { kernels: Arc::new([kernel]), part, features: 0..n, bias, out }.run(epilogue);
    }
}

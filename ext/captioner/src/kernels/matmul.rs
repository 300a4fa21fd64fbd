//! `out = x · Wᵀ + bias` for a weight in any storage.
//!
//! Many rows (vision, encoder): each task takes a run of them. In int8 and bf16 the weight is unpacked once for all tasks
//! ([`Ready`]); in `f32` each task unpacks it panel by panel into its scratch, turned so that output features lie side by
//! side. Few rows (a decoder step, one row per beam): [`few_rows`].

use rayon::prelude::*;

use super::few_rows::{few_rows, Job, Regime, FEW_ROWS};
use super::{Epilogue, Matrix, Ready, TILE_ROWS};

/// `out = epilogue(x · wᵀ + bias)` on all threads of the pool. `x`: `[m, cols]`, `out`: `[m, rows]`, both row-major; `bias`:
/// `[rows]` or nothing.
pub fn matmul(x: &[f32], w: &Matrix, bias: Option<&[f32]>, epilogue: Epilogue, out: &mut [f32]) {
    let m = x.len() / w.cols();
    assert!(x.len() == m * w.cols() && out.len() == m * w.rows(), "matmul: shapes do not fit");
    if Regime::of(m) == Regime::Few {
        return few_rows(x, vec![Job { weight: w, bias, out }], epilogue);
    }
    let ready = Ready::new(w, Regime::Many);
    let tile = (4 * TILE_ROWS).min(m.div_ceil(rayon::current_num_threads())).max(FEW_ROWS + 1);
    out.par_chunks_mut(tile * w.rows())
        .zip(x.par_chunks(tile * w.cols()))
        .for_each(|(out, x)| ready.multiply(x, bias, epilogue, out));
}

/// `out = x · weightᵀ + bias` for each job. In [`Regime::Few`] they are worked off together, so that threads meet once for all.
pub fn matmul_each(x: &[f32], jobs: Vec<Job>, regime: Regime) {
    match regime {
        Regime::Few => few_rows(x, jobs, Epilogue::Store),
        Regime::Many => jobs.into_iter().for_each(|job| matmul(x, job.weight, job.bias, Epilogue::Store, job.out)),
    }
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

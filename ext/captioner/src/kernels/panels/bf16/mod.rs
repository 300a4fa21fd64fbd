//! Products in bf16: weights and activations are rounded, two of each to a word, and summed in `f32`.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use multiversion::multiversion;

use super::{interleave::interleave, Line, Output, LINES, WIDTH};
use crate::kernels::isa::Isa;
use crate::kernels::matrix::Matrix;

/// Rows of activations in bf16.
#[derive(Debug, Default)]
pub struct Activations {
    /// `[rows, words]`
    words: Vec<u32>,
    /// Words of a row: two values each, zero beyond the last.
    stride: usize,
    rows: usize,
}

impl Activations {
    /// Rounds `x`, `[rows, cols]`; what was here before is gone.
    pub fn round(&mut self, x: &[f32], cols: usize) {
        (self.stride, self.rows) = (cols.div_ceil(2), x.len() / cols);
        self.words.resize(self.rows * self.stride, 0);
        for (x, words) in x.chunks_exact(cols).zip(self.words.chunks_exact_mut(self.stride)) {
            round_row(x, words);
        }
    }
}

/// The bits of the nearest bf16, ties to even.
#[inline(always)]
fn nearest(value: f32) -> u32 {
    let bits = value.to_bits();
    bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16
}

/// Rounds a row, two values to a word; an odd last one is alone in its word.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw", "x86_64+avx2"))]
pub fn round_row(values: &[f32], words: &mut [u32]) {
    let pairs = values.chunks_exact(2);
    if let ([last], Some(word)) = (pairs.remainder(), words.last_mut()) {
        *word = nearest(*last);
    }
    for (pair, word) in pairs.zip(words) {
        *word = nearest(pair[0]) | nearest(pair[1]) << 16;
    }
}

/// One panel of a weight.
pub struct Panel {
    lines: Vec<Line>,
}

impl Panel {
    /// Unpacks features `first..first + WIDTH` of `weight`, as far as there are.
    pub fn unpack(isa: Isa, weight: &Matrix, first: usize) -> Self {
        let words = weight.cols().div_ceil(2);
        let mut values = vec![0.0; weight.cols()];
        let mut rows = vec![0; 16 * words];
        let mut lines = vec![Line([0; 16]); words * LINES];
        for quarter in 0..LINES {
            for (i, row) in rows.chunks_exact_mut(words).enumerate() {
                let feature = first + quarter * 16 + i;
                if feature < weight.rows() {
                    weight.dequantize_rows(feature..feature + 1, &mut values);
                    round_row(&values, row);
                } else {
                    row.fill(0);
                }
            }
            interleave(isa, &rows, words, quarter, &mut lines);
        }
        Self { lines }
    }

    /// The products of all rows of `x` with this panel, which becomes the features from `output.first` on.
    pub fn multiply(&self, isa: Isa, x: &Activations, output: &mut Output) {
        assert!(self.lines.len() == x.stride * LINES && x.words.len() == x.rows * x.stride);
        output.check(x.rows, &[1.0; WIDTH]);
        match isa {
            // SAFETY: the set is only chosen where the processor has it; the shapes were compared above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => unsafe { avx512::multiply(x, &self.lines, output) },
            _ => portable::multiply(x, &self.lines, output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::epilogue::Epilogue;
    use crate::kernels::panels::tests::{nf4, values};
    use half::bf16;

    #[test]
    fn every_set_of_instructions_is_close_to_sums_of_rounded_values() {
        let round = |v: &f32| f64::from(bf16::from_f32(*v).to_f32());
        for (m, n, k) in [(1, 1, 3), (7, 65, 147), (13, 129, 192), (24, 31, 320)] {
            let (weight, bias, x) = (nf4(n, k, 64), values(n, 3), values(m * k, 1));
            let w: Vec<f64> = weight.to_vec().iter().map(round).collect();
            let mut rounded = Activations::default();
            rounded.round(&x, k);
            for isa in Isa::available() {
                let mut out = vec![1.0; m * n];
                for first in (0..n).step_by(WIDTH) {
                    let panel = Panel::unpack(isa, &weight, first);
                    panel.multiply(isa, &rounded, &mut Output::new(&mut out, n, first, Some(&bias), Epilogue::Add));
                }
                for (i, out) in out.iter().enumerate() {
                    let (x, w) = (&x[i / n * k..][..k], &w[i % n * k..][..k]);
                    let sum: f64 = x.iter().zip(w).map(|(x, w)| round(x) * w).sum();
                    let expected = 1.0 + f64::from(bias[i % n]) + sum;
                    assert!((f64::from(*out) - expected).abs() < 1e-3, "{isa:?} {m}x{n}x{k}: {out} {expected}");
                }
            }
        }
    }
}

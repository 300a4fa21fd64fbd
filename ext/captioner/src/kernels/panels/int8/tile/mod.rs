//! The inner loops: a few rows times a panel.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use super::{Activations, Panel};
use crate::kernels::isa::Isa;
use crate::kernels::panels::{Output, LINES};

/// The products of all rows of `x` with a panel, written to `output`.
pub fn multiply(isa: Isa, x: &Activations, panel: &Panel, output: &mut Output) {
    let (rows, pieces) = (x.rows(), x.pieces_of_a_row());
    assert!(panel.lines.len() == x.stride / 4 * LINES && panel.sums.len() == pieces);
    assert!(x.codes.len() == rows * x.stride && x.pieces.len() == rows * pieces);
    output.check(rows, &panel.scales);
    match isa {
        // SAFETY: the set is only chosen where the processor has it; the shapes were compared above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Bf16 => unsafe { avx512::multiply(x, panel, output) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::multiply(x, panel, output) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2Vnni => unsafe { avx2::multiply_vnni(x, panel, output) },
        _ => portable::multiply(x, panel, output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::matmul::{activate, Epilogue};
    use crate::kernels::panels::tests::{nf4, values};
    use crate::kernels::panels::WIDTH;

    /// The sum of the values that the codes stand for, one at a time.
    fn definition(x: &Activations, weight: &crate::kernels::Matrix, bias: &[f32]) -> Vec<f32> {
        let mut codes = super::super::Codes::new(Isa::Portable, weight);
        let mut out = vec![0.0; x.rows() * weight.rows()];
        let mut bytes = vec![0; weight.cols()];
        for feature in 0..weight.rows() {
            let scale = f64::from(codes.read(feature, &mut bytes));
            for row in 0..x.rows() {
                let product = |(col, weight): (usize, &u8)| {
                    let grid = x.pieces[row * x.pieces_of_a_row() + col / x.piece];
                    let code = f64::from(x.codes[row * x.stride + col]);
                    (f64::from(*weight) - 128.0) * (f64::from(grid.middle) + code * f64::from(grid.step))
                };
                let sum: f64 = bytes.iter().enumerate().map(product).sum();
                out[row * weight.rows() + feature] = (sum * scale) as f32 + bias[feature];
            }
        }
        out
    }

    #[test]
    fn every_set_of_instructions_multiplies_the_same_values() {
        for (m, n, k) in [(1, 1, 3), (5, 64, 64), (7, 65, 147), (13, 129, 192), (24, 31, 2305)] {
            let (weight, bias) = (nf4(n, k, 64), values(n, 3));
            let mut x = Activations::default();
            let shifted: Vec<f32> = values(m * k, 1).iter().enumerate().map(|(i, v)| v + (i % 3) as f32).collect();
            x.round(Isa::Portable, &shifted, k);
            let expected = definition(&x, &weight, &bias);
            for isa in Isa::available() {
                let mut out = vec![0.0; m * n];
                for first in (0..n).step_by(WIDTH) {
                    let panel = Panel::unpack(isa, &weight, first);
                    panel.multiply(isa, &x, &mut Output::new(&mut out, n, first, Some(&bias), Epilogue::Store));
                }
                for (ours, expected) in out.iter().zip(&expected) {
                    assert!((ours - expected).abs() <= 1e-5 * (1.0 + expected.abs()), "{isa:?} {m}x{n}x{k}");
                }
            }
        }
    }

    #[test]
    fn products_go_through_the_epilogue() {
        for (m, n, k) in [(13, 70, 100), (4, 64, 1100)] {
            let (weight, before) = (nf4(n, k, 64), values(m * n, 8));
            let mut x = Activations::default();
            x.round(Isa::Portable, &values(m * k, 1), k);
            let products = definition(&x, &weight, &vec![0.0; n]);
            for isa in Isa::available() {
                for epilogue in [Epilogue::Store, Epilogue::Relu, Epilogue::Gelu, Epilogue::Add] {
                    let mut out = before.clone();
                    for first in (0..n).step_by(WIDTH) {
                        let panel = Panel::unpack(isa, &weight, first);
                        panel.multiply(isa, &x, &mut Output::new(&mut out, n, first, None, epilogue));
                    }
                    let mut expected = products.clone();
                    activate(&mut expected, epilogue);
                    for ((ours, expected), before) in out.iter().zip(&expected).zip(&before) {
                        let expected = if epilogue == Epilogue::Add { before + expected } else { *expected };
                        assert!((ours - expected).abs() <= 3e-4 + 1e-5 * expected.abs(), "{isa:?}: {ours} {expected}");
                    }
                }
            }
        }
    }
}

//! The inner loops: a few rows times a panel.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod lines;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use super::Activations;
use crate::kernels::isa::Isa;
use crate::kernels::panels::{Line, Output, LINES};

/// The products of all rows of `x` with a panel, written to `output`. `scales` are those of the panel's features.
pub fn multiply(isa: Isa, x: &Activations, lines: &[Line], scales: &[f32], output: &mut Output) {
    let blocks = x.rows * x.blocks();
    assert!(lines.len() == x.stride / 4 * LINES && x.codes.len() == x.rows * x.stride);
    assert!(x.scales.len() == blocks && x.offsets.len() == blocks);
    output.check(x.rows, scales);
    match isa {
        // SAFETY: the set is only chosen where the processor has it; the shapes were compared above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Bf16 if x.blocks() == 1 => unsafe { avx512::multiply(x, lines, scales, output) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx512Bf16 => unsafe { avx512::multiply_blocks(x, lines, scales, output) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::multiply(x, lines, scales, output) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2Vnni => unsafe { avx2::multiply_vnni(x, lines, scales, output) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => unsafe { neon::multiply(x, lines, scales, output) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::NeonDot => unsafe { neon::multiply_dot(x, lines, scales, output) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::NeonI8mm => unsafe { neon::multiply_i8mm(x, lines, scales, output) },
        _ => portable::multiply(x, lines, scales, output),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Panel;
    use super::*;
    use crate::kernels::epilogue::Epilogue;
    use crate::kernels::matrix::ActivationScales::{PerBlock, PerRow};
    use crate::kernels::panels::tests::{nf4, values};
    use crate::kernels::panels::WIDTH;

    /// The sum in the same integers, one value at a time.
    fn definition(x: &Activations, weight: &crate::kernels::Matrix, bias: &[f32]) -> Vec<f32> {
        let mut codes = super::super::Codes::new(Isa::Portable, weight);
        let mut out = vec![0.0; x.rows * weight.rows()];
        let mut bytes = vec![0; weight.cols()];
        for feature in 0..weight.rows() {
            let scale = codes.read(feature, &mut bytes);
            for (row, a) in x.codes.chunks_exact(x.stride).enumerate() {
                let blocks = a.chunks(x.block).zip(bytes.chunks(x.block)).zip(&x.scales[row * x.blocks()..]);
                let products = blocks.map(|((a, bytes), scale)| {
                    let sum: i32 = a.iter().zip(bytes).map(|(a, w)| i32::from(*a) * (i32::from(*w) - 128)).sum();
                    sum as f32 * scale
                });
                out[row * weight.rows() + feature] = products.sum::<f32>() * scale + bias[feature];
            }
        }
        out
    }

    #[test]
    fn every_set_of_instructions_sums_the_same_integers() {
        for (m, n, k) in [(1, 1, 3), (5, 64, 64), (7, 65, 147), (13, 129, 192), (24, 31, 320)] {
            let (weight, bias) = (nf4(n, k, 64), values(n, 3));
            for (isa, scales) in Isa::available().into_iter().flat_map(|isa| [(isa, PerRow), (isa, PerBlock)]) {
                let mut x = Activations::default();
                x.round(Isa::Portable, &values(m * k, 1), k, scales);
                let expected = definition(&x, &weight, &bias);
                let mut out = vec![0.0; m * n];
                for first in (0..n).step_by(WIDTH) {
                    let panel = Panel::unpack(isa, &weight, first);
                    panel.multiply(isa, &x, &mut Output::new(&mut out, n, first, Some(&bias), Epilogue::Store));
                }
                assert_close(&out, &expected, &format!("{isa:?} {scales:?} {m}x{n}x{k}"));
            }
        }
    }

    /// The kernel of AVX-VNNI, with the dot products of AVX-512 in the place of its own.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn dot_products_of_avx2_sum_the_same_integers() {
        if Isa::available().iter().all(|isa| *isa < Isa::Avx512) {
            return;
        }
        for (m, n, k) in [(1, 1, 3), (7, 65, 147), (13, 129, 192)] {
            let (weight, bias) = (nf4(n, k, 64), values(n, 3));
            for scales in [PerRow, PerBlock] {
                let mut x = Activations::default();
                x.round(Isa::Portable, &values(m * k, 1), k, scales);
                let mut out = vec![0.0; m * n];
                for first in (0..n).step_by(WIDTH) {
                    let Panel { lines, scales } = Panel::unpack(Isa::Portable, &weight, first);
                    let output = &mut Output::new(&mut out, n, first, Some(&bias), Epilogue::Store);
                    // SAFETY: the processor has AVX-512; the shapes are those of `multiply`.
                    unsafe { avx2::multiply_stand_in(&x, &lines, &scales, output) };
                }
                assert_close(&out, &definition(&x, &weight, &bias), &format!("{scales:?} {m}x{n}x{k}"));
            }
        }
    }

    fn assert_close(ours: &[f32], expected: &[f32], what: &str) {
        for (ours, expected) in ours.iter().zip(expected) {
            assert!((ours - expected).abs() <= 1e-5 * (1.0 + expected.abs()), "{what}: {ours}, not {expected}");
        }
    }
}

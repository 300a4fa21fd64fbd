//! What must hold of the codecs for any input.

mod quant_support;

use captioner::quant::{
    quantize, quantize_rows, Codebook, FloatType, Floats, Int8RowsRef, Numbers, Quantized, QuantizedRef, RowScale,
    Scales, ScalesRef, Scheme,
};
use captioner::Error;
use half::f16;
use quant_support::{le_bytes, values};

const LENGTHS: [usize; 9] = [0, 1, 31, 64, 65, 127, 4096, 16385, 100_003];

fn schemes() -> Vec<Scheme> {
    let mut schemes = vec![];
    for code in [Codebook::Nf4, Codebook::Int4] {
        for blocksize in [32, 64, 128, 4096] {
            schemes.extend([false, true].map(|double| Scheme::new(code, blocksize, double).unwrap()));
        }
    }
    schemes
}

fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let source = values(1, 300_007, "outliers");
    for scheme in schemes() {
        let serial = in_pool(1, || quantize(&source, scheme).unwrap());
        let parallel = in_pool(5, || quantize(&source, scheme).unwrap());
        assert_eq!(serial, parallel);
    }
    let serial = in_pool(1, || quantize_rows(&source[..300_000], 300, RowScale::F16).unwrap());
    let parallel = in_pool(5, || quantize_rows(&source[..300_000], 300, RowScale::F16).unwrap());
    assert_eq!(serial, parallel);
}

#[test]
fn a_range_decodes_like_its_part_of_the_whole() {
    for scheme in schemes() {
        for len in LENGTHS {
            let quantized = quantize(&values(2, len, "zeros"), scheme).unwrap();
            let whole = quantized.view().to_vec();
            for start in [0, 1, 2, 63, 64, 77, 500, 8191].into_iter().filter(|start| *start <= len) {
                for end in [start, start + 1, start + 2, start + 64, start + 131, len] {
                    let end = end.clamp(start, len);
                    let mut part = vec![0f32; end - start];
                    quantized.dequantize(start..end, &mut part);
                    assert_eq!(part, whole[start..end], "{scheme:?} {start}..{end} of {len}");
                }
            }
        }
    }
}

#[test]
fn values_stay_within_the_code_table_s_error() {
    for scheme in schemes().into_iter().filter(|scheme| !scheme.double_quant()) {
        let bound = scheme.code().error_bound() * 1.000_001;
        for kind in ["plain", "outliers", "zeros"] {
            let source = values(3, 20_011, kind);
            let quantized = quantize(&source, scheme).unwrap();
            for (i, (value, decoded)) in source.iter().zip(quantized.view().to_vec()).enumerate() {
                let scale = quantized.scale(i / scheme.blocksize());
                assert!((value - decoded).abs() <= bound * scale, "{scheme:?}: {value} became {decoded}");
            }
        }
    }
}

#[test]
fn double_quantization_keeps_scales_close() {
    let source = values(4, 1 << 20, "plain");
    let plain = quantize(&source, Scheme::new(Codebook::Nf4, 64, false).unwrap()).unwrap();
    let double = quantize(&source, Scheme::NF4).unwrap();
    assert_eq!(plain.codes(), double.codes());
    let (mut error, mut total) = (0f64, 0f64);
    for block in 0..source.len() / 64 {
        error += f64::from(plain.scale(block) - double.scale(block)).powi(2);
        total += f64::from(plain.scale(block)).powi(2);
    }
    assert!((error / total).sqrt() < 0.01, "{}", (error / total).sqrt());
}

#[test]
fn quantizing_decoded_values_again_changes_nothing() {
    for scheme in schemes().into_iter().filter(|scheme| !scheme.double_quant()) {
        for len in LENGTHS {
            let once = quantize(&values(5, len, "zeros"), scheme).unwrap();
            let twice = quantize(&once.view().to_vec(), scheme).unwrap();
            assert_eq!(once, twice, "{scheme:?}, {len} values");
        }
    }
}

#[test]
fn zeros_decode_to_zeros() {
    for double in [false, true] {
        let scheme = Scheme::new(Codebook::Nf4, 64, double).unwrap();
        let decoded = quantize(&vec![0f32; 1000], scheme).unwrap().view().to_vec();
        assert!(decoded.iter().all(|value| value.abs() < 1e-37), "{scheme:?}");
    }
    let rows = quantize_rows(&vec![0f32; 1000], 10, RowScale::F32).unwrap();
    let mut decoded = vec![1f32; 1000];
    rows.dequantize(0..1000, &mut decoded);
    assert!(decoded.iter().all(|value| *value == 0.0));
}

/// LLM.int8's rule, value by value: to f16, then `round(w * (127 / absmax))` with ties to even.
#[test]
fn int8_rows_are_those_of_values_rounded_to_f16() {
    let (rows, cols) = (60, 97);
    let mut source = values(31, rows * cols, "outliers");
    // Magnitudes from beyond f16's smallest number to near its largest; the last row is zeros.
    for (row, values) in source.chunks_exact_mut(cols).enumerate() {
        let factor = if row + 1 == rows { 0.0 } else { 2f32.powi(row as i32 - 45) };
        values.iter_mut().for_each(|value| *value *= factor);
    }
    let quantized = quantize_rows(&source, rows, RowScale::F16).unwrap();
    let mut decoded = vec![0f32; source.len()];
    quantized.dequantize(0..source.len(), &mut decoded);
    for (row, values) in source.chunks_exact(cols).enumerate() {
        let halves: Vec<f32> = values.iter().map(|value| half::f16::from_f32(*value).to_f32()).collect();
        let absmax = halves.iter().fold(0f32, |absmax, value| absmax.max(value.abs()));
        assert_eq!(quantized.view().scale(row), absmax);
        for (i, half) in halves.iter().enumerate() {
            let code = if absmax > 0.0 { (half * (1.0 / absmax * 127.0)).round_ties_even() } else { 0.0 };
            assert_eq!(f32::from(quantized.view().codes()[row * cols + i]), code, "row {row} of {absmax}");
            assert_eq!(decoded[row * cols + i], code * absmax * 7.874_016e-3);
        }
    }
    assert!(quantized.view().scale(0) == 0.0 && quantized.view().scale(rows - 2) > 0.0);
}

#[test]
fn what_is_not_a_number_is_refused_by_its_index() {
    for (bad, at) in [(f32::NAN, 0), (f32::INFINITY, 64), (f32::NEG_INFINITY, 4999)] {
        let mut source = values(6, 5000, "plain");
        source[at] = bad;
        let Err(Error::CorruptModel(message)) = quantize(&source, Scheme::NF4) else { panic!("accepted {bad}") };
        assert!(message.starts_with(&format!("value {at} is {bad}")), "{message}");
        let Err(Error::CorruptModel(message)) = quantize_rows(&source, 50, RowScale::F32) else {
            panic!("accepted {bad}")
        };
        assert!(message.contains(&format!("row {}", at / 100)), "{message}");
    }
    assert!(matches!(quantize_rows(&vec![1e6f32; 4], 1, RowScale::F16), Err(Error::CorruptModel(_))));
}

#[test]
fn wrong_arguments_are_refused() {
    for blocksize in [0, 16, 48, 65, 8192] {
        assert!(matches!(Scheme::new(Codebook::Nf4, blocksize, true), Err(Error::InvalidArgument(_))));
    }
    let fp4 = Scheme::new(Codebook::Fp4, 64, true).unwrap();
    assert!(matches!(quantize(&vec![0f32; 64], fp4), Err(Error::InvalidArgument(_))));
    assert!(matches!(quantize_rows(&vec![0f32; 10], 3, RowScale::F32), Err(Error::InvalidArgument(_))));
    assert!(matches!(quantize_rows(&vec![0f32; 10], 0, RowScale::F32), Err(Error::InvalidArgument(_))));
}

#[test]
fn parts_that_do_not_fit_are_corrupt() {
    let (scheme, len, codes, scales) = quantize(&values(7, 1000, "plain"), Scheme::NF4).unwrap().into_parts();
    assert!(Quantized::new(scheme, len, codes.clone(), scales.clone()).is_ok());
    assert!(matches!(Quantized::new(scheme, len + 1, codes.clone(), scales.clone()), Err(Error::CorruptModel(_))));
    assert!(matches!(Quantized::new(scheme, len + 64, codes.clone(), scales), Err(Error::CorruptModel(_))));
    assert!(matches!(Quantized::new(scheme, len, codes, Scales::Plain(vec![0.0; 16])), Err(Error::CorruptModel(_))));
    let scales = [0f32; 3];
    assert!(matches!(Int8RowsRef::new(3, 4, &[0; 11], Floats::F32(&scales)), Err(Error::CorruptModel(_))));
    assert!(matches!(Int8RowsRef::new(2, 4, &[0; 8], Floats::F32(&scales)), Err(Error::CorruptModel(_))));
}

#[test]
fn unaligned_bytes_of_a_file_read_like_numbers() {
    let plain = Scheme::new(Codebook::Nf4, 64, false).unwrap();
    let quantized = quantize(&values(8, 1000, "plain"), plain).unwrap();
    let Scales::Plain(scales) = quantized.scales() else { panic!("double scales") };
    let mut bytes = vec![0u8];
    bytes.extend(le_bytes(scales));
    let scales = ScalesRef::Plain(Floats::Bytes(FloatType::F32, &bytes[1..]));
    let view = QuantizedRef::new(plain, 1000, quantized.codes(), scales).unwrap();
    assert_eq!(view.to_vec(), quantized.view().to_vec());
    assert_eq!(view.to_owned().unwrap(), quantized);
}

#[test]
fn int8_rows_stay_within_half_a_step_and_decode_by_ranges() {
    let source = values(9, 77 * 51, "outliers");
    for (scale, slack) in [(RowScale::F32, 1.000_01), (RowScale::F16, 1.07)] {
        let rows = quantize_rows(&source, 77, scale).unwrap();
        let mut decoded = vec![0f32; source.len()];
        rows.dequantize(0..source.len(), &mut decoded);
        for (i, (value, decoded)) in source.iter().zip(&decoded).enumerate() {
            assert!((value - decoded).abs() <= rows.view().scale(i / 51) / 254.0 * slack);
        }
        let mut part = vec![0f32; 200];
        rows.dequantize(33..233, &mut part);
        assert_eq!(part, decoded[33..233]);
    }
}

#[test]
fn bits_per_weight_counts_every_stored_bit() {
    // 4 + 8 / 64 + 32 / (64 * 256), and one offset.
    let bits = Scheme::NF4.bits_per_weight(1 << 24);
    assert!((bits - 4.126_96).abs() < 1e-4, "{bits}");
    let plain = Scheme::new(Codebook::Int4, 32, false).unwrap();
    assert_eq!(plain.bits_per_weight(3200), 5.0);
    let halves: Vec<f16> = vec![f16::ONE; 768 * 2];
    assert_eq!(
        quantize_rows(Numbers::F16(&halves), 2, RowScale::F16).unwrap().view().bits_per_weight(),
        8.0 + 16.0 / 768.0
    );
}

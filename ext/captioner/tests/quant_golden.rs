//! Codes, scales and values against bitsandbytes 0.50.2 on a CPU (research/reference/quant.py).

mod quant_support;

use std::collections::HashMap;

use captioner::quant::{
    dynamic, quantize, quantize_rows, Codebook, FloatType, Floats, Numbers, Quantized, QuantizedRef, RowScale, Scales,
    ScalesRef, Scheme,
};
use half::f16;
use quant_support::{fixture, le_bytes, sha256, values, Typed};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

#[derive(Deserialize)]
struct Cases {
    blocks: Vec<Case>,
    rows: Vec<RowCase>,
}

#[derive(Deserialize)]
struct Case {
    seed: u64,
    kind: String,
    dtype: String,
    code: String,
    blocksize: usize,
    double: bool,
    len: usize,
    shape: Vec<usize>,
    sha256: HashMap<String, String>,
}

#[derive(Deserialize)]
struct RowCase {
    seed: u64,
    shape: (usize, usize),
    kind: String,
    sha256: HashMap<String, String>,
}

fn cases() -> Cases {
    serde_json::from_slice(&std::fs::read(fixture("cases.json")).unwrap()).unwrap()
}

impl Case {
    fn scheme(&self) -> Scheme {
        Scheme::new(Codebook::from_name(&self.code).unwrap(), self.blocksize, self.double).unwrap()
    }

    fn quantize(&self) -> Quantized {
        match &Typed::new(values(self.seed, self.len, &self.kind), &self.dtype) {
            Typed::F32(values) => quantize(values, self.scheme()).unwrap(),
            Typed::F16(values) => quantize(values, self.scheme()).unwrap(),
            Typed::Bf16(values) => quantize(values, self.scheme()).unwrap(),
        }
    }
}

/// The bytes of each part under the names of the reference script.
fn parts(quantized: &Quantized) -> Vec<(&'static str, Vec<u8>)> {
    let mut parts = vec![("codes", quantized.codes().to_vec()), ("values", le_bytes(&quantized.view().to_vec()))];
    match quantized.scales() {
        Scales::Plain(scales) => parts.push(("scales", le_bytes(scales))),
        Scales::Double { q, absmax2, offset } => {
            parts.extend([("q", q.clone()), ("absmax2", le_bytes(absmax2)), ("offset", le_bytes(&[*offset]))]);
        }
    }
    parts
}

#[test]
fn every_part_equals_bitsandbytes_to_the_last_bit() {
    let cases = cases().blocks;
    assert!(cases.len() >= 50);
    for case in cases {
        for (name, bytes) in parts(&case.quantize()) {
            assert_eq!(
                sha256(&bytes),
                case.sha256[name],
                "{name} of case {} ({:?}, {}, {})",
                case.seed,
                case.shape,
                case.kind,
                case.dtype
            );
        }
    }
}

#[test]
fn small_cases_equal_bitsandbytes_value_by_value() {
    let file = std::fs::read(fixture("full.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let mut compared = 0;
    for case in cases().blocks {
        for (name, bytes) in parts(&case.quantize()) {
            if let Ok(expected) = file.tensor(&format!("{}.{name}", case.seed)) {
                assert_eq!(bytes, expected.data(), "{name} of case {} ({:?})", case.seed, case.shape);
                compared += 1;
            }
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn a_file_s_bytes_quantize_like_numbers_at_any_alignment() {
    for case in cases().blocks.iter().take(20) {
        let kind = match case.dtype.as_str() {
            "f32" => FloatType::F32,
            "f16" => FloatType::F16,
            _ => FloatType::Bf16,
        };
        let mut bytes = vec![0u8];
        bytes.extend(Typed::new(values(case.seed, case.len, &case.kind), &case.dtype).le_bytes());
        assert_eq!(quantize(Numbers::Bytes(kind, &bytes[1..]), case.scheme()).unwrap(), case.quantize());
    }
}

#[test]
fn the_dynamic_map_is_bitsandbytes_own() {
    let file = std::fs::read(fixture("full.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    assert_eq!(le_bytes(dynamic::map()), file.tensor("dynamic_map").unwrap().data());
}

#[test]
fn fp4_is_read_as_bitsandbytes_reads_it() {
    let file = std::fs::read(fixture("full.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let part = |seed: u32, name: &str| file.tensor(&format!("fp4.{seed}.{name}")).unwrap().data().to_vec();
    let len = part(70, "values").len() / 4;

    let offset = part(70, "offset");
    let (q, absmax2) = (part(70, "q"), part(70, "absmax2"));
    let scales = ScalesRef::Double {
        q: &q,
        absmax2: Floats::Bytes(FloatType::F32, &absmax2),
        offset: Floats::Bytes(FloatType::F32, &offset).get(0),
        map: Floats::F32(dynamic::map()),
    };
    let scheme = Scheme::new(Codebook::Fp4, 64, true).unwrap();
    let codes = part(70, "codes");
    let double = QuantizedRef::new(scheme, len, &codes, scales).unwrap();
    assert_eq!(le_bytes(&double.to_vec()), part(70, "values"));

    let scales = part(71, "scales");
    let scheme = Scheme::new(Codebook::Fp4, 32, false).unwrap();
    let codes = part(71, "codes");
    let plain =
        QuantizedRef::new(scheme, len, &codes, ScalesRef::Plain(Floats::Bytes(FloatType::F32, &scales))).unwrap();
    assert_eq!(le_bytes(&plain.to_vec()), part(71, "values"));
}

#[test]
fn int8_rows_equal_bitsandbytes_to_the_last_bit() {
    for case in cases().rows {
        let (rows, cols) = case.shape;
        let halves: Vec<f16> = values(case.seed, rows * cols, &case.kind).into_iter().map(f16::from_f32).collect();
        let quantized = quantize_rows(&halves, rows, RowScale::F32).unwrap();
        let view = quantized.view();
        let codes: Vec<u8> = view.codes().iter().map(|&code| code as u8).collect();
        let scales: Vec<f32> = (0..rows).map(|row| view.scale(row)).collect();
        let mut decoded = vec![0f32; rows * cols];
        view.dequantize(0..rows * cols, &mut decoded);
        for (name, bytes) in [("codes", codes), ("scales", le_bytes(&scales)), ("values", le_bytes(&decoded))] {
            assert_eq!(sha256(&bytes), case.sha256[name], "{name} of rows {}", case.seed);
        }
    }
}

/// A bf16 weight with rows of every magnitude, down to numbers that f16 does not have, and what bitsandbytes makes of it.
#[test]
fn int8_rows_of_bf16_equal_bitsandbytes_to_the_last_bit() {
    let file = std::fs::read(fixture("int8-bf16.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let part = |name: &str| file.tensor(name).unwrap();
    let rows = part("weight").shape()[0];
    let quantized = quantize_rows(Numbers::Bytes(FloatType::Bf16, part("weight").data()), rows, RowScale::F16).unwrap();
    let view = quantized.view();
    let mut decoded = vec![0f32; view.codes().len()];
    view.dequantize(0..decoded.len(), &mut decoded);
    let codes: Vec<u8> = view.codes().iter().map(|&code| code as u8).collect();
    let scales: Vec<f32> = (0..rows).map(|row| view.scale(row)).collect();
    assert_eq!(codes, part("codes").data());
    assert_eq!(le_bytes(&scales), part("SCB").data());
    assert_eq!(le_bytes(&decoded), part("values").data());
}

/// Counts the blocks whose scale code differs, over the 24 M weights of `research/reference/quant.py large FILE`.
#[test]
#[ignore = "needs QUANT_LARGE, a file that research/reference/quant.py writes"]
fn scale_codes_over_a_large_run() {
    let file = std::fs::read(std::env::var("QUANT_LARGE").unwrap()).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let mut seeds: Vec<u64> = file.names().iter().filter_map(|name| name.split('.').next()?.parse().ok()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    for threads in ["1", "2"] {
        let (mut blocks, mut differing, mut most, mut offsets, mut codes) = (0, 0, 0, 0, 0);
        for &seed in &seeds {
            let part = |name: &str| file.tensor(&format!("{seed}.{threads}.{name}")).unwrap();
            let len = 2 * part("codes").data().len();
            let ours = quantize(&values(seed, len, "plain"), Scheme::NF4).unwrap();
            let Scales::Double { q, offset, .. } = ours.scales() else { panic!("plain scales") };
            blocks += q.len();
            offsets += usize::from(offset.to_le_bytes() != part("offset").data());
            codes += ours.codes().iter().zip(part("codes").data()).filter(|(a, b)| a != b).count();
            for (a, b) in q.iter().zip(part("q").data()).filter(|(a, b)| a != b) {
                differing += 1;
                most = most.max(a.abs_diff(*b));
            }
        }
        println!(
            "{threads} thread(s): {differing} of {blocks} blocks differ, by {most} step(s) at most; {offsets} of {} offsets \
             differ; {codes} bytes of codes differ",
            seeds.len()
        );
        assert_eq!(codes, 0);
        assert!(threads != "1" || differing == 0);
    }
}

/// Every matrix of a checkpoint, by the digests of `research/reference/quant.py model FILE OUT`.
#[test]
#[ignore = "needs QUANT_MODEL, a safetensors file, and QUANT_DIGESTS, what research/reference/quant.py says of it"]
fn every_matrix_of_a_checkpoint_equals_bitsandbytes() {
    let file = std::fs::File::open(std::env::var("QUANT_MODEL").unwrap()).unwrap();
    // SAFETY: a test's own file, which nobody truncates.
    let file = unsafe { memmap2::Mmap::map(&file) }.unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let digests = std::fs::read(std::env::var("QUANT_DIGESTS").unwrap()).unwrap();
    let digests: HashMap<String, HashMap<String, String>> = serde_json::from_slice(&digests).unwrap();
    assert!(!digests.is_empty());
    let (mut weights, mut stored) = (0, 0);
    for (name, expected) in &digests {
        let tensor = file.tensor(name).unwrap();
        let kind = match tensor.dtype() {
            Dtype::F32 => FloatType::F32,
            Dtype::F16 => FloatType::F16,
            Dtype::BF16 => FloatType::Bf16,
            other => panic!("{name} is {other:?}"),
        };
        let quantized = quantize(Numbers::Bytes(kind, tensor.data()), Scheme::NF4).unwrap();
        for (part, bytes) in parts(&quantized) {
            assert_eq!(sha256(&bytes), expected[part], "{part} of {name}");
        }
        weights += quantized.len();
        stored += Scheme::NF4.bytes(quantized.len());
    }
    let bits = 8.0 * stored as f64 / weights as f64;
    println!("{} matrices, {weights} weights, {stored} bytes, {bits:.4} bits a weight", digests.len());
}

//! Inputs from a counter: `values` of research/reference/quant.py, bit for bit.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use half::{bf16, f16};
use sha2::{Digest, Sha256};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quant").join(name)
}

/// SplitMix64's output function.
fn mix(counter: u64) -> u64 {
    let z = counter.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Bell-shaped values with a magnitude that changes every 1000 values; `kind` is plain, outliers or zeros.
pub fn values(seed: u64, count: usize, kind: &str) -> Vec<f32> {
    let base = seed << 40;
    let value = |index: u64| {
        let bits = mix(base.wrapping_add(index + 1));
        let spread = mix(base.wrapping_add(index / 1000 + (1 << 39))) & 15;
        let total = (0..4).map(|k| (bits >> (16 * k) & 0xffff) as i64).sum::<i64>() - 131_070;
        let value = total as f32 * 2f32.powi(-20) * (1.0 + spread as f32 / 16.0);
        match kind {
            "outliers" if index % 499 == 7 => value * 32.0,
            "zeros" if (index / 200) % 3 == 1 => 0.0,
            _ => value,
        }
    };
    (0..count as u64).map(value).collect()
}

/// The same rounded to `dtype`, as a typed vector.
pub enum Typed {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
}

impl Typed {
    pub fn new(values: Vec<f32>, dtype: &str) -> Self {
        match dtype {
            "f32" => Typed::F32(values),
            "f16" => Typed::F16(values.into_iter().map(f16::from_f32).collect()),
            "bf16" => Typed::Bf16(values.into_iter().map(bf16::from_f32).collect()),
            _ => panic!("dtype {dtype}"),
        }
    }

    pub fn le_bytes(&self) -> Vec<u8> {
        match self {
            Typed::F32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Typed::F16(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Typed::Bf16(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }
}

pub fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

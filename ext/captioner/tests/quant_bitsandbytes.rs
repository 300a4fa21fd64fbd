//! Checkpoints that transformers saved with load_in_4bit: read, written alike, and refused when damaged.

mod quant_support;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use captioner::quant::{quantize, Codebook, FloatType, Scheme};
use captioner::weights::bitsandbytes::{codebook, read, write, Weight};
use captioner::Error;
use half::f16;
use quant_support::{fixture, le_bytes, sha256, values};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::SafeTensors;
use serde::Deserialize;

#[derive(Deserialize)]
struct Layer {
    seed: u64,
    shape: Vec<usize>,
    nf4: String,
    fp4: String,
}

fn layers() -> BTreeMap<String, Layer> {
    serde_json::from_slice(&std::fs::read(fixture("bart.json")).unwrap()).unwrap()
}

type Tensors = HashMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(file: &str) -> Tensors {
    let bytes = std::fs::read(fixture(file)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let owned = |view: TensorView| (view.dtype(), view.shape().to_vec(), view.data().to_vec());
    file.iter().map(|(name, view)| (name.to_string(), owned(view))).collect()
}

fn load<'a>(tensors: &'a Tensors, name: &str) -> captioner::Result<Weight<'a>> {
    read(Path::new("bart.safetensors"), name, |name| {
        let (dtype, shape, data) = tensors.get(name)?;
        TensorView::new(*dtype, shape.clone(), data).ok()
    })
}

#[test]
fn what_transformers_saved_reads_as_bitsandbytes_reads_it() {
    for (file, code) in [("bart-nf4.safetensors", Codebook::Nf4), ("bart-fp4.safetensors", Codebook::Fp4)] {
        let tensors = tensors(file);
        assert_eq!(codebook("model.shared.weight", |name| tensors.contains_key(name)), None);
        let layers = layers();
        assert_eq!(layers.len(), 16);
        for (name, layer) in layers {
            assert_eq!(codebook(&name, |name| tensors.contains_key(name)), Some(code));
            let weight = load(&tensors, &name).unwrap();
            assert_eq!((weight.shape, weight.dtype), (layer.shape, FloatType::F16));
            assert_eq!(weight.values.scheme(), Scheme::new(code, 64, code == Codebook::Nf4).unwrap());
            let expected = if code == Codebook::Nf4 { layer.nf4 } else { layer.fp4 };
            assert_eq!(sha256(&le_bytes(&weight.values.to_vec())), expected, "{name} in {file}");
            assert!(weight.values.to_owned().is_ok());
        }
    }
}

#[test]
fn what_we_quantize_and_write_is_what_transformers_saved() {
    let tensors = tensors("bart-nf4.safetensors");
    for (name, layer) in layers() {
        let len = layer.shape.iter().product();
        let source: Vec<f16> = values(layer.seed, len, "outliers").into_iter().map(f16::from_f32).collect();
        let quantized = quantize(&source, Scheme::NF4).unwrap();
        let weight = Weight { shape: layer.shape, dtype: FloatType::F16, values: quantized.view() };
        let parts = write(&name, &weight).unwrap();
        assert_eq!(parts.len(), 6);
        let file = safetensors::serialize(parts, None).unwrap();
        for (part, ours) in SafeTensors::deserialize(&file).unwrap().iter() {
            let (dtype, shape, theirs) = &tensors[part];
            if part.contains("quant_state") {
                let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
                assert_eq!(json(ours.data()), json(theirs), "{part}");
            } else {
                assert_eq!((ours.dtype(), ours.shape(), ours.data()), (*dtype, &shape[..], &theirs[..]), "{part}");
            }
        }
    }
}

#[test]
fn what_we_write_we_read() {
    for (code, double) in [(Codebook::Nf4, false), (Codebook::Nf4, true)] {
        let quantized = quantize(&values(1, 77 * 33, "zeros"), Scheme::new(code, 128, double).unwrap()).unwrap();
        let weight = Weight { shape: vec![77, 33], dtype: FloatType::Bf16, values: quantized.view() };
        let file = safetensors::serialize(write("w", &weight).unwrap(), None).unwrap();
        let file = SafeTensors::deserialize(&file).unwrap();
        let again = read(Path::new("w.safetensors"), "w", |name| file.tensor(name).ok()).unwrap();
        assert_eq!((again.shape, again.dtype), (weight.shape, weight.dtype));
        assert_eq!(again.values.to_owned().unwrap(), quantized);
    }
    let int4 = quantize(&values(1, 64, "plain"), Scheme::new(Codebook::Int4, 64, false).unwrap()).unwrap();
    let weight = Weight { shape: vec![64], dtype: FloatType::F32, values: int4.view() };
    assert!(matches!(write("w", &weight), Err(Error::InvalidArgument(_))));
}

/// Damages one tensor and expects an error that names it (or `named`).
fn damaged(file: &str, part: &str, named: &str, damage: impl Fn(&mut Tensors, &str)) {
    let weight = "model.encoder.layers.0.fc1.weight";
    let mut tensors = tensors(file);
    damage(&mut tensors, &format!("{weight}{part}"));
    let Err(Error::CorruptModel(message)) = load(&tensors, weight) else { panic!("accepted a damaged {part}") };
    assert!(message.starts_with(&format!("tensor {weight}{named} in bart.safetensors ")), "{message}");
    assert!(message.len() < 300, "{message}");
}

#[test]
fn every_damaged_part_is_named() {
    let state = ".quant_state.bitsandbytes__nf4";
    let nf4 = "bart-nf4.safetensors";
    for part in ["", ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"] {
        damaged(nf4, part, part, |tensors, name| drop(tensors.remove(name)));
    }
    damaged(nf4, state, "", |tensors, name| drop(tensors.remove(name)));
    damaged("bart-fp4.safetensors", ".absmax", ".absmax", |tensors, name| drop(tensors.remove(name)));
    // Wrong lengths show where the parts meet, at the weight itself.
    for part in ["", ".absmax"] {
        damaged(nf4, part, "", |tensors, name| {
            let (_, shape, data) = tensors.get_mut(name).unwrap();
            data.pop();
            *shape = vec![data.len()];
        });
    }
    for part in [".nested_absmax", ".nested_quant_map", ".quant_map"] {
        let named = if part == ".quant_map" { part } else { "" };
        damaged(nf4, part, named, |tensors, name| {
            let (_, shape, data) = tensors.get_mut(name).unwrap();
            data.extend([0; 4]);
            *shape = vec![data.len() / 4];
        });
    }
    for part in [".nested_absmax", ".nested_quant_map", ".quant_map"] {
        damaged(nf4, part, part, |tensors, name| tensors.get_mut(name).unwrap().2[..4].copy_from_slice(&[255; 4]));
        damaged(nf4, part, part, |tensors, name| tensors.get_mut(name).unwrap().0 = Dtype::I32);
    }
    damaged(nf4, ".quant_map", ".quant_map", |tensors, name| tensors.get_mut(name).unwrap().2[7] ^= 1);
}

#[test]
fn every_wrong_field_of_the_state_is_named() {
    let part = ".quant_state.bitsandbytes__nf4";
    for (from, to) in [
        ("\"nf4\"", "\"fp4\""),
        ("\"blocksize\": 64", "\"blocksize\": 48"),
        ("\"blocksize\": 64", "\"blocksize\": -1"),
        ("\"float16\"", "\"float8\""),
        ("[72, 96]", "[72, 0]"),
        ("[72, 96]", "[18446744073709551615, 2]"),
        ("[72, 96]", "null"),
        ("\"nested_blocksize\": 256", "\"nested_blocksize\": 128"),
        ("\"nested_offset\"", "\"other\""),
        ("\"nested_offset\": ", "\"nested_offset\": 1e300, \"other\": "),
        ("{", "{{"),
    ] {
        damaged("bart-nf4.safetensors", part, part, |tensors, name| {
            let (_, shape, data) = tensors.get_mut(name).unwrap();
            let text = String::from_utf8(data.clone()).unwrap();
            assert!(text.contains(from), "{text}");
            *data = text.replacen(from, to, 1).into_bytes();
            *shape = vec![data.len()];
        });
    }
    damaged("bart-nf4.safetensors", part, "", |tensors, name| {
        let (_, shape, data) = tensors.get_mut(name).unwrap();
        *data = String::from_utf8(data.clone()).unwrap().replace("[72, 96]", "[72, 97]").into_bytes();
        *shape = vec![data.len()];
    });
}

//! Checkpoints for others: a folder that transformers loads with bitsandbytes.
//!
//! ```text
//! config.json              the native layout's, with a quantization_config
//! generation_config.json   the settings that captions are made with here
//! model.safetensors        linear layers in NF4 as bitsandbytes stores them, everything else in f16
//! *.json, merges.txt       the tokenizer and the processor, as the source folder has them
//! ```
//!
//! bitsandbytes has a form for linear layers only (the projection of image features is one in the native layout). 4-bit
//! linears are copied bit for bit; those in floating point are quantized. The token table, patch convolutions and
//! position tables come from the source: its own values from a checkpoint, dequantized ones from a packed file that has
//! them quantized, rounded to f16 either way. A packed file holds no tokenizer.json and no processor settings of others'
//! making, so from there the tokenizer's files are to be added by hand.
//!
//! Microsoft's checkpoints have no token for the image. transformers wants one, so `image_token_id` becomes `<unk>`,
//! which no prompt contains: it marks the places of the image features and its own embedding is never looked at.

use std::path::{Path, PathBuf};

use safetensors::Dtype;
use serde_json::{json, Value};

use super::names::{Layout, TOKEN_EMBEDDINGS};
use super::native::{cosine_table, native_config};
use super::{family, FAMILY};
use crate::kernels::{Compute, Matrix, Storage};
use crate::models::{packing, Model, Parts};
use crate::quant::{quantize, FloatType, Quantized, Scheme, Source as Numbers};
use crate::weights::bitsandbytes::{write, Part, Weight};
use crate::weights::packed::Packed;
use crate::weights::{Scope, Source};
use crate::{Error, Result};

const WEIGHTS: &str = "model.safetensors";
/// `<unk>` in Florence-2's vocabulary.
const PLACEHOLDER: u64 = 3;
/// What the native layout's projector always does.
const SOURCES: [&str; 2] = ["spatial_avg_pool", "temporal_avg_pool"];

/// Writes the model in `source` (a checkpoint folder of either layout, or a packed file) to the folder `out`, which must
/// not exist or be empty. It appears whole or not at all.
///
/// # Errors
/// Those of loading the source, `UnsupportedModel` for what the native layout cannot say, `InvalidArgument` for an `out`
/// that is taken, `ModelUnavailable` if it cannot be written.
pub fn export_bitsandbytes(source: &Path, out: &Path) -> Result<()> {
    if std::fs::read_dir(out).is_ok_and(|mut files| files.next().is_some()) || out.is_file() {
        return Err(Error::InvalidArgument(format!("{} exists already; choose another folder", out.display())));
    }
    let (weights, parts): (Box<dyn Source>, Parts) = if source.is_file() {
        let packed = Packed::open(source, true)?;
        let parts = Parts::of(&packed);
        (Box::new(packed), parts)
    } else {
        let (_, checkpoint, parts) = packing::open(source, true)?;
        (Box::new(checkpoint), parts)
    };
    // Loading says whether it is a model that works, and with which settings.
    let model = family::model(&parts, Scope::root(weights.as_ref(), Compute::Exact))?;
    let own = parts.get("config")?;
    let (mut config, generation) = configurations(&own, json(model.settings())?)?;
    let held = read(&own, &parts, weights.as_ref())?;
    config["quantization_config"] = quantization(&held);

    let folder = Folder::create(out)?;
    folder.write("config.json", &config)?;
    folder.write("generation_config.json", &generation)?;
    if source.is_dir() {
        folder.copy_tokenizer(source)?;
    }
    let mut parts = Vec::new();
    for (name, tensor) in &held {
        tensor.parts(name, &mut parts)?;
    }
    let metadata = [("format".to_string(), "pt".to_string())].into();
    let path = folder.temporary.join(WEIGHTS);
    safetensors::serialize_to_file(parts, Some(metadata), &path).map_err(|error| folder.failed(&error))?;
    folder.publish()
}

/// A tensor on its way out.
enum Held {
    /// 4-bit already.
    Kept(Matrix, Vec<usize>),
    Quantized(Quantized, Vec<usize>),
    /// f16 as it is.
    Half(Matrix, Vec<usize>),
    Bytes(Vec<u8>, Vec<usize>),
}

impl Held {
    fn linear(name: &str, matrix: Matrix, shape: Vec<usize>) -> Result<Self> {
        let quantized = match matrix.storage() {
            Storage::Blocks { .. } => return Ok(Held::Kept(matrix, shape)),
            Storage::Float(kind, values) => quantize(Numbers::Bytes(*kind, values.as_slice()), Scheme::NF4),
            Storage::Int8 { .. } => quantize(&matrix.to_vec(), Scheme::NF4),
        };
        let named = |error| Error::CorruptModel(format!("tensor {name}: {error}"));
        Ok(Held::Quantized(quantized.map_err(named)?, shape))
    }

    fn half(matrix: Matrix, shape: Vec<usize>) -> Self {
        if matches!(matrix.storage(), Storage::Float(FloatType::F16, _)) {
            return Held::Half(matrix, shape);
        }
        let values = matrix.to_vec().into_iter().map(half::f16::from_f32);
        Held::Bytes(values.flat_map(half::f16::to_le_bytes).collect(), shape)
    }

    fn parts<'a>(&'a self, name: &str, parts: &mut Vec<(String, Part<'a>)>) -> Result<()> {
        let (values, shape) = match self {
            Held::Kept(matrix, shape) => (matrix.blocks()?, shape),
            Held::Quantized(quantized, shape) => (quantized.view(), shape),
            Held::Half(matrix, shape) => {
                let Storage::Float(_, values) = matrix.storage() else { unreachable!("made so") };
                parts.push((name.into(), Part::new(Dtype::F16, shape.clone(), values.as_slice())));
                return Ok(());
            }
            Held::Bytes(bytes, shape) => {
                parts.push((name.into(), Part::new(Dtype::F16, shape.clone(), bytes)));
                return Ok(());
            }
        };
        parts.extend(write(name, &Weight { shape: shape.clone(), dtype: FloatType::F16, values })?);
        Ok(())
    }

    fn scheme(&self) -> Option<Scheme> {
        match self {
            Held::Kept(matrix, _) => matrix.blocks().ok().map(|blocks| blocks.scheme()),
            Held::Quantized(quantized, _) => Some(quantized.scheme()),
            _ => None,
        }
    }
}

/// Every tensor under its native name.
fn read(config: &Value, parts: &Parts, weights: &dyn Source) -> Result<Vec<(String, Held)>> {
    let mut held = vec![temporal_table(config)?];
    for request in packing::requests(&FAMILY, parts, weights)? {
        let (name, shape) = (request.name.as_str(), request.shape);
        if name == "language_model.final_logits_bias" {
            return Err(unsupported("a final_logits_bias"));
        }
        let matrix = weights.matrix(name, &shape)?;
        let is_linear = shape.len() == 2 && !name.contains("_embeddings.") && !name.contains(".embed_positions.");
        if TOKEN_EMBEDDINGS.contains(&name) {
            held.push((Layout::Native.name(TOKEN_EMBEDDINGS[0]), Held::half(matrix, shape)));
        } else if is_linear {
            held.push((Layout::Native.name(name), Held::linear(name, matrix, shape)?));
        } else {
            held.push((Layout::Native.name(name), Held::half(matrix, shape)));
        }
    }
    Ok(held)
}

/// The table of frames, which the model computes where it needs it.
fn temporal_table(config: &Value) -> Result<(String, Held)> {
    let vision = &config["vision_config"];
    let frames = [&vision["visual_temporal_embedding"]["max_temporal_embeddings"], &vision["max_temporal_embeddings"]];
    let frames = frames.into_iter().find_map(Value::as_u64).unwrap_or(100) as usize;
    let dims = [&vision["dim_embed"], &vision["embed_dim"]].into_iter().find_map(Value::as_array);
    let dim = dims.and_then(|dims| dims.last()?.as_u64()).ok_or_else(|| unsupported("no embed_dim"))? as usize;
    let mut table = vec![half::f16::ZERO; frames * dim];
    cosine_table(&mut table, dim);
    let bytes = table.into_iter().flat_map(half::f16::to_le_bytes).collect();
    let name = Layout::Native.name("visual_temporal_embed.pos_idx_to_embed");
    Ok((name, Held::Bytes(bytes, vec![frames, dim])))
}

/// `config.json` of the native layout, and `generation_config.json` with the settings in effect.
fn configurations(own: &Value, settings: Value) -> Result<(Value, Value)> {
    let sources = &own["vision_config"]["image_feature_source"];
    if sources.is_array() && *sources != json!(SOURCES) {
        return Err(unsupported("another image_feature_source"));
    }
    let (mut config, text) = (own.clone(), &own["text_config"]);
    if own["vision_config"]["dim_embed"].is_array() {
        (config, _) = native_config(own);
    }
    config["dtype"] = json!("float16");
    if config["image_token_id"].as_u64() >= text["vocab_size"].as_u64() {
        config["image_token_id"] = json!(PLACEHOLDER);
    }
    let mut generation = settings;
    for (key, default) in [("bos_token_id", 0), ("pad_token_id", 1)] {
        generation[key] = json!(text[key].as_u64().unwrap_or(default));
    }
    Ok((config, generation))
}

/// What transformers asks of a checkpoint's `config.json`; each tensor's own state says the rest.
fn quantization(held: &[(String, Held)]) -> Value {
    let scheme = held.iter().find_map(|(_, tensor)| tensor.scheme()).unwrap_or(Scheme::NF4);
    json!({
        "quant_method": "bitsandbytes", "load_in_4bit": true, "load_in_8bit": false,
        "bnb_4bit_quant_type": scheme.code().name(), "bnb_4bit_use_double_quant": scheme.double_quant(),
        "bnb_4bit_quant_storage": "uint8", "bnb_4bit_compute_dtype": "float32",
    })
}

fn unsupported(what: &str) -> Error {
    Error::UnsupportedModel(format!("the native layout of Florence-2 cannot express {what}, which this checkpoint has"))
}

fn json(value: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::Internal(error.to_string()))
}

/// A folder under a temporary name. Dropped before it is published, it is gone.
struct Folder<'a> {
    temporary: PathBuf,
    out: &'a Path,
}

impl<'a> Folder<'a> {
    fn create(out: &'a Path) -> Result<Self> {
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let temporary = out.with_file_name(format!(".{name}.{}.incomplete", std::process::id()));
        let folder = Self { temporary, out };
        std::fs::create_dir_all(&folder.temporary).map_err(|error| folder.failed(&error))?;
        Ok(folder)
    }

    fn write(&self, name: &str, value: &Value) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Error::Internal(error.to_string()))?;
        std::fs::write(self.temporary.join(name), text + "\n").map_err(|error| self.failed(&error))
    }

    fn copy_tokenizer(&self, source: &Path) -> Result<()> {
        let made = ["config.json", "generation_config.json", "model.safetensors.index.json"];
        for file in std::fs::read_dir(source).map_err(|error| Error::reading(source, &error))?.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            if (name.ends_with(".json") || name == "merges.txt") && !made.contains(&name.as_str()) {
                std::fs::copy(file.path(), self.temporary.join(&name)).map_err(|error| self.failed(&error))?;
            }
        }
        Ok(())
    }

    fn publish(self) -> Result<()> {
        let publish = || {
            std::fs::File::open(self.temporary.join(WEIGHTS))?.sync_all()?;
            std::fs::rename(&self.temporary, self.out)
        };
        publish().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        Error::ModelUnavailable(format!(
            "cannot write {}: {error}; free some space or choose another folder",
            self.out.display()
        ))
    }
}

impl Drop for Folder<'_> {
    fn drop(&mut self) {
        // Published, it has another name.
        let _ = std::fs::remove_dir_all(&self.temporary);
    }
}

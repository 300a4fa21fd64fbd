//! For transformers' own Florence-2, with linear layers in NF4.
//!
//! bitsandbytes has a form for linear layers only (the projection of image features is one in the native layout). 4-bit
//! linears are copied bit for bit; those in floating point are quantized. The token table, patch convolutions and
//! position tables come from the source: its own values from a checkpoint, dequantized ones from a packed file that has
//! them quantized, rounded to f16 either way. A packed file holds no tokenizer.json and no processor settings of others'
//! making, so from there the tokenizer's files are to be added by hand.
//!
//! Microsoft's checkpoints have no token for the image. transformers wants one, so `image_token_id` becomes `<unk>`,
//! which no prompt contains: it marks the places of the image features and its own embedding is never looked at.

use serde_json::{json, Value};

use super::names::{Naming, OUTPUT, TOKEN_EMBEDDINGS};
use super::native::{cosine_table, native_config};
use super::parts;
use crate::kernels::Compute;
use crate::models::export::{Exported, Held};
use crate::models::{packing, Family, Model, Parts};
use crate::quant::Scheme;
use crate::weights::{Scope, Source};
use crate::{Error, Result};

/// `<unk>` in Florence-2's vocabulary.
const PLACEHOLDER: u64 = 3;
/// What the native layout's projector always does.
const SOURCES: [&str; 2] = ["spatial_avg_pool", "temporal_avg_pool"];

/// The model under its native names.
///
/// # Errors
/// Those of loading it, and `UnsupportedModel` for what the native layout cannot say.
pub fn export(family: &Family, weights: &dyn Source, beside: &Parts) -> Result<Exported> {
    // Loading says whether it is a model that works, and with which settings.
    let model = parts::model(beside, Scope::root(weights, Compute::Exact))?;
    let own = beside.get("config")?;
    let (mut config, generation) = configurations(&own, parts::has_own_output(beside), json(model.settings())?)?;
    let tensors = read(family, &own, beside, weights)?;
    config["quantization_config"] = quantization(&tensors);
    Ok(Exported { files: vec![("config.json", config), ("generation_config.json", generation)], tensors })
}

/// Every tensor under its native name.
fn read(family: &Family, config: &Value, beside: &Parts, weights: &dyn Source) -> Result<Vec<(String, Held)>> {
    let mut held = vec![temporal_table(config)?];
    for request in packing::requests(family, beside, weights)? {
        let (name, shape) = (request.name.as_str(), request.shape);
        if name == "language_model.final_logits_bias" {
            return Err(unsupported("a final_logits_bias"));
        }
        if name == OUTPUT && parts::has_own_output(beside) {
            held.push((Naming::Native.name(name), Held::half(weights.matrix(name, &shape)?, shape)));
            continue;
        }
        let matrix = weights.matrix(name, &shape)?;
        let is_linear = shape.len() == 2 && !name.contains("_embeddings.") && !name.contains(".embed_positions.");
        if TOKEN_EMBEDDINGS.contains(&name) {
            held.push((Naming::Native.name(TOKEN_EMBEDDINGS[0]), Held::half(matrix, shape)));
        } else if is_linear {
            held.push((Naming::Native.name(name), Held::linear(name, matrix, shape)?));
        } else {
            held.push((Naming::Native.name(name), Held::half(matrix, shape)));
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
    let name = Naming::Native.name("visual_temporal_embed.pos_idx_to_embed");
    Ok((name, Held::Bytes(bytes, vec![frames, dim])))
}

/// `config.json` of the native layout, and `generation_config.json` with the settings in effect.
fn configurations(own: &Value, own_output: bool, settings: Value) -> Result<(Value, Value)> {
    let sources = &own["vision_config"]["image_feature_source"];
    if sources.is_array() && *sources != json!(SOURCES) {
        return Err(unsupported("another image_feature_source"));
    }
    let (mut config, text) = (own.clone(), &own["text_config"]);
    if own["vision_config"]["dim_embed"].is_array() {
        (config, _) = native_config(own);
    }
    config["dtype"] = json!("float16");
    config["tie_word_embeddings"] = json!(!own_output);
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

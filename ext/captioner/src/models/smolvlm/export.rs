//! For transformers, with linear layers in int8 as `load_in_8bit` makes them.

use serde_json::{json, Value};

use super::config::Config;
use super::parts::{CONFIG, GENERATION, IMAGE};
use crate::models::export::{Exported, Held};
use crate::models::{packing, Family, Parts};
use crate::weights::packed::Part;
use crate::weights::Source;
use crate::Result;

/// The model with the linear layers of tower, connector and decoder in int8, and everything else in floating point.
///
/// # Errors
/// Those of loading it.
pub fn export(family: &Family, weights: &dyn Source, parts: &Parts) -> Result<Exported> {
    let mut tensors = Vec::new();
    for request in packing::requests(family, parts, weights)? {
        let (name, shape) = (request.name.as_str(), request.shape.clone());
        let matrix = weights.matrix(name, &shape)?;
        let is_linear =
            request.is_matrix && shape.len() == 2 && matches!((family.part)(name), Some(Part::Vision | Part::Decoder));
        let held = if is_linear { Held::rows(name, &matrix, shape)? } else { Held::float(matrix, shape) };
        tensors.push((name.to_string(), held));
    }
    Ok(Exported { files: files(parts)?, tensors })
}

fn files(parts: &Parts) -> Result<Vec<(&'static str, Value)>> {
    let mut config: Value = parts.get(CONFIG)?;
    config["quantization_config"] = json!({
        "quant_method": "bitsandbytes", "load_in_4bit": false, "load_in_8bit": true, "llm_int8_threshold": 6.0,
        "llm_int8_has_fp16_weight": false, "llm_int8_skip_modules": ["lm_head"],
    });
    let mut image: Value = parts.get(IMAGE)?;
    image["image_processor_type"] = json!("Idefics3ImageProcessor");
    let image_seq_len = parts.get::<Config>(CONFIG)?.image_seq_len();
    let processor = json!({ "image_seq_len": image_seq_len, "processor_class": "Idefics3Processor" });
    Ok(vec![
        ("config.json", config),
        ("generation_config.json", parts.get(GENERATION)?),
        ("preprocessor_config.json", image),
        ("processor_config.json", processor),
    ])
}

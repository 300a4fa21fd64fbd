//! What a model has beside its tensors: from a folder to parts, and from parts to a model.

use std::path::Path;
use std::sync::Arc;

use super::config::Config;
use super::names::Naming;
use super::processor::Processor;
use super::Florence2;
use crate::models::files::read_json;
use crate::models::{Model, Parts};
use crate::weights::Scope;
use crate::Result;

/// The names under which a packed file keeps what is beside the tensors.
const CONFIG: &str = "config";
const GENERATION: &str = "generation";
const IMAGE: &str = "image";
const PROMPTS: &str = "prompts";
/// Only there where the output layer has a matrix of its own.
const OWN_OUTPUT: &str = "own_output";

pub fn read(dir: &Path, tensors: &[&str]) -> Result<Parts> {
    let config = Config::read(dir)?;
    let naming = Naming::detect(tensors.iter().copied()).unwrap_or(Naming::Native);
    let settings = config.generation(dir, naming)?;
    let processor = Processor::read(dir, config.text_config.vocab_size)?;
    let (image, vocabulary, prompts) = processor.parts();
    let mut parts = Parts::default();
    parts.put(CONFIG, &read_json::<serde_json::Value>(&dir.join("config.json"))?)?;
    parts.put(GENERATION, &settings)?;
    parts.put(IMAGE, image)?;
    parts.put(PROMPTS, &prompts)?;
    if !config.ties_output(naming) {
        parts.put(OWN_OUTPUT, &true)?;
    }
    parts.put_vocabulary(vocabulary);
    Ok(parts)
}

/// Has the output layer a matrix of its own?
pub fn has_own_output(parts: &Parts) -> bool {
    parts.has(OWN_OUTPUT)
}

pub fn build(parts: &Parts, scope: Scope) -> Result<Arc<dyn Model>> {
    Ok(Arc::new(model(parts, scope)?))
}

/// The model itself, for those who know the family.
pub fn model(parts: &Parts, scope: Scope) -> Result<Florence2> {
    let config = Config::from_json(parts.text(CONFIG)?)?;
    let processor = Processor::new(parts.get(IMAGE)?, parts.vocabulary()?, parts.get(PROMPTS)?)?;
    Florence2::build(config, parts.get(GENERATION)?, processor, has_own_output(parts), scope)
}

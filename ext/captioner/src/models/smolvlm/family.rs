//! What the rest of the library knows of this family.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::config::{Config, ImageConfig};
use super::prompt::Pieces;
use super::{Beside, SmolVlm};
use crate::generate::{token_ids, EarlyStopping, Settings};
use crate::models::files::{read_json, read_optional};
use crate::models::{Family, Model, Parts};
use crate::text::{open_tokenizer, special_ids, Vocabulary};
use crate::weights::packed::Part;
use crate::weights::{Canonical, Names};
use crate::{Error, Result};

/// SmolVLM and what it grew from, Idefics3.
pub static FAMILY: Family = Family {
    name: "smolvlm",
    model_types: &["idefics3", "smolvlm"],
    tasks: &["<DESCRIPTION>"],
    takes_prompt: true,
    takes_image_splitting: true,
    recipes: &[
        ("int8", "all=int8"),
        // What bitsandbytes quantizes.
        ("linears", "vision=int8,decoder=int8,convolution=keep"),
        ("nf4", "all=nf4-64-double,convolution=int8,embedding=int8,head=int8"),
    ],
    part,
    names: |tensors| {
        let is_own = tensors.iter().any(|name| name.starts_with("model.connector.modality_projection."));
        is_own.then(|| Box::new(Canonical) as Box<dyn Names>)
    },
    read,
    build: |parts, scope| Ok(Arc::new(SmolVlm::build(beside(parts)?, scope)?) as Arc<dyn Model>),
    export: Some(super::export::export),
};

fn part(name: &str) -> Option<Part> {
    let begins = |start: &str| name.starts_with(start);
    Some(match name {
        _ if begins("model.vision_model.") || begins("model.connector.") => Part::Vision,
        _ if begins("model.text_model.embed_tokens.") => Part::Embedding,
        _ if begins("model.text_model.") => Part::Decoder,
        _ if begins("lm_head.") => Part::Head,
        _ => return None,
    })
}

/// The names under which a packed file keeps what is beside the tensors.
pub(super) const CONFIG: &str = "config";
pub(super) const GENERATION: &str = "generation";
pub(super) const IMAGE: &str = "image";
const PROMPT: &str = "prompt";

fn read(dir: &Path, _tensors: &[&str]) -> Result<Parts> {
    let config = Config::read(dir)?;
    let image = ImageConfig::read(dir, &config)?;
    let path = dir.join("tokenizer.json");
    let (tokenizer, vocabulary) = (open_tokenizer(&path)?, config.text_config.vocab_size);
    let most = image.longest_edge().div_ceil(image.tile()) as usize;
    let pieces = Pieces::new(&tokenizer, &path, config.image_token_id, most)?;
    if let Some(id) = pieces.ids().find(|id| *id as usize >= vocabulary) {
        return Err(Error::CorruptModel(format!("{}: token {id} is outside the model's {vocabulary}", path.display())));
    }
    let special = special_ids(&tokenizer);
    let mut parts = Parts::default();
    parts.put(CONFIG, &read_json::<serde_json::Value>(&dir.join("config.json"))?)?;
    parts.put(GENERATION, &settings(dir, &pieces)?)?;
    parts.put(IMAGE, &image)?;
    parts.put(PROMPT, &pieces)?;
    parts.put_vocabulary(&Vocabulary::of(&tokenizer, vocabulary, |id| special.contains(&id))?);
    parts.put_tokenizer(std::fs::read(&path).map_err(|error| Error::reading(&path, &error))?);
    Ok(parts)
}

fn beside(parts: &Parts) -> Result<Beside> {
    let config: Config = parts.get(CONFIG)?;
    config.check()?;
    let image: ImageConfig = parts.get(IMAGE)?;
    image.check(&config)?;
    Ok(Beside {
        image,
        settings: parts.get(GENERATION)?,
        vocabulary: parts.vocabulary()?,
        pieces: parts.get(PROMPT)?,
        tokenizer: parts.tokenizer()?.clone(),
        config,
    })
}

/// `generation_config.json` as far as this family's generation follows it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct GenerationFile {
    num_beams: Option<usize>,
    #[serde(with = "token_ids")]
    eos_token_id: Vec<u32>,
    length_penalty: Option<f32>,
    no_repeat_ngram_size: Option<usize>,
    early_stopping: Option<EarlyStopping>,
}

/// Greedy, up to the end of the utterance, unless the checkpoint says otherwise.
fn settings(dir: &Path, pieces: &Pieces) -> Result<Settings> {
    let file: GenerationFile = read_optional(&dir.join("generation_config.json"))?.unwrap_or_default();
    let ends = if file.eos_token_id.is_empty() { vec![pieces.end_of_utterance] } else { file.eos_token_id };
    let greedy = Settings::greedy(ends);
    Ok(Settings {
        num_beams: file.num_beams.unwrap_or(greedy.num_beams),
        early_stopping: file.early_stopping.unwrap_or(greedy.early_stopping),
        length_penalty: file.length_penalty.unwrap_or(greedy.length_penalty),
        no_repeat_ngram_size: file.no_repeat_ngram_size.unwrap_or(greedy.no_repeat_ngram_size),
        ..greedy
    })
}

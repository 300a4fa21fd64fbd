//! What a model has beside its tensors: from a folder to parts, and from parts to a model.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::config::{Config, ImageConfig};
use super::prompt::Pieces;
use super::{Beside, SmolVlm};
use crate::generate::{token_ids, EarlyStopping, Settings};
use crate::models::files::{read_json, read_optional};
use crate::models::{Model, Parts};
use crate::text::{open_tokenizer, special_ids, Vocabulary};
use crate::weights::Scope;
use crate::{Error, Result};

/// The names under which a packed file keeps what is beside the tensors.
pub const CONFIG: &str = "config";
pub const GENERATION: &str = "generation";
pub const IMAGE: &str = "image";
const PROMPT: &str = "prompt";

pub fn read(dir: &Path, _tensors: &[&str]) -> Result<Parts> {
    let config = Config::read(dir)?;
    let image = ImageConfig::read(dir, &config)?;
    let path = dir.join("tokenizer.json");
    let (tokenizer, vocabulary) = (open_tokenizer(&path)?, config.text_config.vocab_size);
    let most = image.most_tiles();
    let pieces = Pieces::new(&tokenizer, &path, config.image_token_id, most)?;
    pieces.check(vocabulary, most).map_err(|error| error.within(&path))?;
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

/// The model of these parts and tensors.
pub fn build(parts: &Parts, scope: Scope) -> Result<Arc<dyn Model>> {
    Ok(Arc::new(SmolVlm::build(beside(parts)?, scope)?))
}

fn beside(parts: &Parts) -> Result<Beside> {
    let config: Config = parts.get(CONFIG)?;
    config.check()?;
    let image: ImageConfig = parts.get(IMAGE)?;
    image.check(&config)?;
    let pieces: Pieces = parts.get(PROMPT)?;
    pieces.check(config.text_config.vocab_size, image.most_tiles())?;
    let settings: Settings = parts.get(GENERATION)?;
    settings.check(config.text_config.vocab_size)?;
    Ok(Beside { image, settings, vocabulary: parts.vocabulary()?, pieces, encoder: parts.encoder()?, config })
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

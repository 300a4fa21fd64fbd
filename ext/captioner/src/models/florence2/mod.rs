//! Florence-2: an image and a task's question in, a sentence out.
//!
//! - Florence-2, arXiv 2311.06242
//! - transformers, `models/florence2`; `microsoft/Florence-2-base`, `modeling_florence2.py`
//!
//! Everything follows `config.json`, so base, large and fine-tunes are one code path.

mod bart;
mod config;
mod davit;
mod encoding;
mod export;
mod family;
mod geometry;
mod names;
mod native;
mod parts;
mod processor;
mod projector;
mod task;
mod vision_config;
mod vocabulary;

use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;

use bart::{token_embedding, token_tables, Decoder, Encoder};
use config::Config;
use davit::DaViT;
use encoding::Florence2Encoding;
use projector::Projector;

pub use family::FAMILY;
pub use names::Naming;
pub use native::{cosine_table, native_config};
pub use processor::Processor;
pub use task::Task;

use super::{packing, Encoding, Model, Parts, Request};
use crate::generate::Settings;
use crate::image::RgbImage;
use crate::kernels::{Buffer, Compute};
use crate::nn::{concat, Embedding};
use crate::weights::packed::Packed;
use crate::weights::Scope;
use crate::{Error, Result};

/// Of larger batches each takes another 17 MiB an image, and gains little.
const BATCH_SIZE: usize = 4;

/// A loaded model. Immutable: any number of captions may run on it at once.
pub struct Florence2 {
    config: Config,
    settings: Settings,
    processor: Processor,
    vision: DaViT,
    projector: Projector,
    tokens: Embedding,
    encoder: Encoder,
    decoder: Decoder,
    buffers: Vec<Buffer>,
}

impl Florence2 {
    /// [`super::load`] for those who know the family.
    pub fn load(path: &Path, map: bool, compute: Compute) -> Result<Self> {
        if path.is_file() {
            let packed = Packed::open(path, map)?;
            return parts::model(&Parts::of(&packed), Scope::root(&packed, compute));
        }
        let (_, checkpoint, parts) = packing::open(path, map)?;
        parts::model(&parts, Scope::root(&checkpoint, compute))
    }

    fn build(config: Config, settings: Settings, processor: Processor, own_output: bool, root: Scope) -> Result<Self> {
        settings.check(config.text_config.vocab_size)?;
        check_room(&config, &processor)?;
        let (table, output) = token_tables(&config.text_config, &root, own_output)?;
        Ok(Self {
            settings,
            processor,
            vision: DaViT::load(&config.vision_config, root.pp("vision_tower"))?,
            projector: Projector::load(&config.vision_config, root.clone())?,
            tokens: token_embedding(&config.text_config, &table),
            encoder: Encoder::load(&config.text_config, root.pp("language_model.model.encoder"))?,
            decoder: Decoder::load(&config.text_config, &table, output, &root)?,
            config,
            buffers: root.buffers(),
        })
    }

    /// Pixels and text.
    pub fn processor(&self) -> &Processor {
        &self.processor
    }

    /// The encoder's input: image features, then the prompt.
    fn embed(&self, features: &Tensor, task: Task) -> Result<Tensor> {
        let prompt = self.tokens.forward(self.processor.prompt(task).iter().map(|&id| id as usize))?;
        let tokens = concat(features, &prompt)?;
        self.encoder.embed(&tokens)
    }
}

/// Do the image that the processor makes and the longest prompt fit the model?
fn check_room(config: &Config, processor: &Processor) -> Result<()> {
    let (vision, room) = (&config.vision_config, config.text_config.max_position_embeddings);
    let apart = "preprocessor_config.json and config.json do not belong together";
    let (height, width) = geometry::last_grid(vision, processor.size())
        .map_err(|what| Error::CorruptModel(format!("{what}; {apart}")))?;
    let positions = vision.image_positions();
    if height > positions || width > positions {
        return Err(Error::CorruptModel(format!(
            "an image of {height}x{width} tokens does not fit {positions} positions; {apart}"
        )));
    }
    let grids = vision.feature_sources().into_iter().map(|source| source.tokens(height * width)).sum::<usize>();
    let prompts = || Task::ALL.into_iter().map(|task| processor.prompt(task));
    if let Some(id) = prompts().flatten().find(|id| **id as usize >= config.text_config.vocab_size) {
        return Err(Error::CorruptModel(format!("token {id} of a prompt is outside the vocabulary")));
    }
    let prompt = prompts().map(<[u32]>::len).max().unwrap_or(0);
    match grids + prompt {
        0 => Err(Error::CorruptModel("config.json hands no token of the image on".into())),
        count if count > room => {
            Err(Error::CorruptModel(format!("image and prompt take {count} positions, the model has {room}; {apart}")))
        }
        _ => Ok(()),
    }
}

impl Model for Florence2 {
    fn family(&self) -> &'static str {
        FAMILY.name
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn max_new_tokens(&self) -> usize {
        1024
    }

    fn batch_size(&self) -> usize {
        BATCH_SIZE
    }

    fn buffers(&self) -> &[Buffer] {
        &self.buffers
    }

    fn check(&self, request: &Request) -> Result<()> {
        FAMILY.check_task(request)
    }

    fn begin(self: Arc<Self>, image: RgbImage, request: &Request) -> Result<Box<dyn Encoding>> {
        self.check(request)?;
        let task = family::task(request.task.as_deref())?;
        let pixels = self.processor.pixels(&image)?;
        Ok(Box::new(Florence2Encoding::new(self, task, pixels)))
    }

    fn text(&self, ids: &[u32]) -> String {
        self.processor.text(ids)
    }
}

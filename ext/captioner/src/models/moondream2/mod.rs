//! moondream2, revision 2025-01-09: an image in, a sentence out.
//!
//! - `vikhyatk/moondream2` at that revision: overlapping crops through a vision transformer, their features joined to one grid;
//!   a causal language model over the image's embeddings, which see each other, and a prompt
//! - published in f16, without an implementation in transformers; other revisions have other weights, crops and tokens
//!
//! Differences from the published code: pixels are normalized in f32, not in f16, and ids are decoded as a whole.

mod config;
mod crops;
mod encoding;
mod family;
mod names;
mod processor;
mod resize;
mod stitch;
mod text;
mod vision;

use std::sync::Arc;

use config::Config;
use encoding::Moondream2Encoding;
use processor::Processor;
use text::Text;
use vision::{Progress, Vision};

pub use crops::{Cropping, Crops, Tiling};
pub use family::FAMILY;

use super::{Encoding, Model, Request};
use crate::generate::Settings;
use crate::image::RgbImage;
use crate::kernels::{ActivationScales, Buffer};
use crate::weights::Scope;
use crate::Result;

/// The published code's limit for a caption.
const MAX_NEW_TOKENS: usize = 512;

/// A loaded model. Immutable: any number of captions may run on it at once.
pub struct Moondream2 {
    config: Config,
    settings: Settings,
    processor: Processor,
    vision: Vision,
    text: Text,
    buffers: Vec<Buffer>,
}

impl Moondream2 {
    fn build(config: Config, processor: Processor, root: Scope) -> Result<Self> {
        let sections = &config.config;
        settings(sections.tokenizer.eos_id).check(sections.text.vocab_size)?;
        let root = root.scaling(ActivationScales::PerBlock);
        Ok(Self {
            settings: settings(sections.tokenizer.eos_id),
            vision: Vision::load(&sections.vision, root.pp("vision"))?,
            text: Text::load(&sections.text, root.pp("text"))?,
            processor,
            buffers: root.buffers(),
            config,
        })
    }
}

/// Greedy, as the published code is by default, to the end token.
fn settings(eos_token_id: u32) -> Settings {
    Settings::greedy(vec![eos_token_id])
}

impl Model for Moondream2 {
    fn family(&self) -> &'static str {
        FAMILY.name
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn max_new_tokens(&self) -> usize {
        MAX_NEW_TOKENS
    }

    fn buffers(&self) -> &[Buffer] {
        &self.buffers
    }

    fn check(&self, request: &Request) -> Result<()> {
        self.processor.prompt(request).map(drop)
    }

    fn begin(self: Arc<Self>, image: RgbImage, request: &Request) -> Result<Box<dyn Encoding>> {
        let prompt = self.processor.prompt(request)?;
        let crops = self.processor.crops(&image);
        let progress = Progress::new(crops.tiling, crops.images);
        Ok(Box::new(Moondream2Encoding::new(self, prompt, progress)))
    }

    fn text(&self, ids: &[u32]) -> String {
        self.processor.text(ids)
    }
}

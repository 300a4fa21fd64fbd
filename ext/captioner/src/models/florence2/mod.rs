//! Florence-2: an image and a task's question in, a sentence out.
//!
//! - Florence-2, arXiv 2311.06242
//! - transformers, `models/florence2`; `microsoft/Florence-2-base`, `modeling_florence2.py`
//!
//! Everything follows `config.json`, so base, large and fine-tunes are one code path. A caption is worked off in steps
//! (half a vision block, an encoder layer, a token), so that whoever runs it can stop between two steps and go on later.

mod bart;
mod config;
mod davit;
mod packing;
mod processor;
mod projector;
mod scoring;
mod vocabulary;

use std::path::Path;

use candle_core::Tensor;

use bart::{token_embedding, token_table, Decoder, DecoderState, Encoder};
use config::Config;
use davit::DaViT;
use projector::Projector;

pub use davit::Reached;
pub use packing::{own_recipe, pack};
pub use processor::{Processor, Task};
pub use scoring::{Scoring, TokenScore};

use crate::generate::{Search, Settings, Step};
use crate::image::RgbImage;
use crate::kernels::{Buffer, Compute, Isa, FEW_ROWS};
use crate::nn::{concat, with_values, Embedding};
use crate::runtime::together;
use crate::weights::packed::Packed;
use crate::weights::{Checkpoint, Scope, Source};
use crate::{Error, Result};

/// More beams than this help no caption and only take memory.
const MAX_BEAMS: usize = 32;

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

/// What a caller may choose for one caption.
#[derive(Debug, Clone)]
pub struct Options {
    pub task: Task,
    /// Instead of the checkpoint's own.
    pub num_beams: Option<usize>,
    /// 1024 unless chosen; cut to what the position table allows.
    pub max_new_tokens: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self { task: Task::DetailedCaption, num_beams: None, max_new_tokens: None }
    }
}

impl Florence2 {
    /// Loads the checkpoint in the folder `path`, or the packed file `path`; `map` maps its weights instead of reading them,
    /// `compute` says how products with them are computed.
    pub fn load(path: &Path, map: bool, compute: Compute) -> Result<Self> {
        Isa::check()?;
        if path.is_file() {
            return packing::load(&Packed::open(path, map)?, compute);
        }
        Self::load_folder(path, &Checkpoint::open(path, map)?, compute)
    }

    fn load_folder(dir: &Path, weights: &dyn Source, compute: Compute) -> Result<Self> {
        let config = Config::read(dir)?;
        let settings = config.generation(dir, weights.layout())?;
        let processor = Processor::read(dir, config.text_config.vocab_size)?;
        Self::build(config, settings, processor, weights, compute)
    }

    fn build(
        config: Config,
        settings: Settings,
        processor: Processor,
        weights: &dyn Source,
        compute: Compute,
    ) -> Result<Self> {
        let root = Scope::root(weights, compute);
        let table = token_table(&config.text_config, &root)?;
        Ok(Self {
            settings,
            processor,
            vision: DaViT::load(&config.vision_config, root.pp("vision_tower"))?,
            projector: Projector::load(&config.vision_config, root.clone())?,
            tokens: token_embedding(&config.text_config, &table),
            encoder: Encoder::load(&config.text_config, root.pp("language_model.model.encoder"))?,
            decoder: Decoder::load(&config.text_config, &table, &root)?,
            config,
            buffers: weights.buffers(),
        })
    }

    /// The generation settings of the checkpoint.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The bytes of the weights, mapped or in memory.
    pub fn buffers(&self) -> &[Buffer] {
        &self.buffers
    }

    /// Pixels and text.
    pub fn processor(&self) -> &Processor {
        &self.processor
    }

    /// Starts a caption; [`Florence2::step`] does the work.
    ///
    /// # Errors
    /// `InvalidArgument` for zero beams or tokens.
    pub fn start(&self, image: &RgbImage, options: &Options) -> Result<Run> {
        self.start_with(image, options, self.settings.clone())
    }

    /// [`Florence2::start`] with other generation settings than the checkpoint's.
    pub fn start_with(&self, image: &RgbImage, options: &Options, mut settings: Settings) -> Result<Run> {
        settings.num_beams = options.num_beams.unwrap_or(settings.num_beams);
        if settings.num_beams == 0 || settings.num_beams > MAX_BEAMS {
            let asked = settings.num_beams;
            return Err(Error::InvalidArgument(format!("num_beams is {asked}, it must be from 1 to {MAX_BEAMS}")));
        }
        let asked = options.max_new_tokens.unwrap_or(1024);
        if asked == 0 {
            return Err(Error::InvalidArgument("max_new_tokens must be at least 1".into()));
        }
        // The last token is never an input, so the start token takes its position.
        let max_new_tokens = asked.min(self.config.text_config.max_position_embeddings);
        let progress = self.vision.start(self.processor.pixels(image)?, self.processor.size());
        Ok(Run { task: options.task, state: State::Vision(progress), search: Search::new(settings, max_new_tokens) })
    }

    /// Does the next piece of a caption's work. After an error the caption is lost.
    pub fn step(&self, run: &mut Run) -> Result<Stage> {
        match &mut run.state {
            State::Vision(progress) => {
                let reached = self.vision.step(progress)?;
                if matches!(reached, Reached::End(_)) {
                    run.state = State::Grid { x: progress.x.clone(), size: progress.size };
                }
                Ok(Stage::Vision(reached))
            }
            State::Grid { x, size } => {
                let features = self.projector.forward(x, *size)?;
                run.state = State::Features { x: features };
                Ok(Stage::ImageFeatures)
            }
            State::Features { x } => {
                run.state = State::Encoder { x: self.embed(x, run.task)?, layer: 0 };
                Ok(Stage::EncoderLayer)
            }
            State::Encoder { x, layer } if *layer < self.encoder.layers() => {
                *x = self.encoder.layer(*layer, x)?;
                *layer += 1;
                Ok(if *layer == self.encoder.layers() { Stage::Encoder } else { Stage::EncoderLayer })
            }
            State::Encoder { x, .. } => {
                let cache = self.decoder.start(x)?;
                self.token(cache, run)
            }
            State::Decoder { cache, .. } => {
                let cache = std::mem::take(cache);
                self.token(cache, run)
            }
            State::Done { .. } => Ok(Stage::Done),
        }
    }

    /// The encoder's input: image features, then the prompt.
    fn embed(&self, features: &Tensor, task: Task) -> Result<Tensor> {
        let prompt = self.tokens.forward(self.processor.prompt(task).iter().map(|&id| id as usize))?;
        let tokens = concat(features, &prompt)?;
        let (count, room) = (tokens.dims2()?.0, self.config.text_config.max_position_embeddings);
        if count > room {
            return Err(Error::CorruptModel(format!(
                "image and prompt take {count} positions, the model has {room}; preprocessor_config.json and config.json \
                 do not belong together"
            )));
        }
        self.encoder.embed(&tokens)
    }

    fn token(&self, mut cache: DecoderState, run: &mut Run) -> Result<Stage> {
        let tokens = run.search.last_tokens();
        let mut token = || {
            let logits = self.decoder.step(&tokens, &mut cache)?;
            let scores = |logits: &[f32]| run.search.advance(logits, self.config.text_config.vocab_size);
            Ok::<_, Error>((with_values(&logits, scores)?, logits))
        };
        // More rows are matrix products like those of the encoder, which are the pool's.
        let (next, logits) = if tokens.len() <= FEW_ROWS { together(token)? } else { token()? };
        match next {
            Step::Continue { parents } => {
                cache.reorder(&parents);
                run.state = State::Decoder { cache, logits };
                Ok(Stage::Token)
            }
            Step::Done => {
                run.state = State::Done { logits };
                Ok(Stage::Done)
            }
        }
    }

    /// The caption of a run that is done.
    pub fn text(&self, run: &Run) -> String {
        self.processor.text(run.tokens())
    }
}

/// One caption on its way.
pub struct Run {
    task: Task,
    state: State,
    search: Search,
}

enum State {
    Vision(davit::Progress),
    Grid { x: Tensor, size: (usize, usize) },
    Features { x: Tensor },
    Encoder { x: Tensor, layer: usize },
    Decoder { cache: DecoderState, logits: Tensor },
    Done { logits: Tensor },
}

/// What a step finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Something in the vision tower.
    Vision(Reached),
    /// The projector.
    ImageFeatures,
    /// The encoder's embedding or a layer.
    EncoderLayer,
    /// The last encoder layer.
    Encoder,
    /// A token of every beam.
    Token,
    /// The caption.
    Done,
}

impl Run {
    /// What the last step made: hidden states `[tokens, channels]`, or logits `[beams, vocabulary]`.
    pub fn output(&self) -> &Tensor {
        match &self.state {
            State::Vision(progress) => &progress.x,
            State::Grid { x, .. } | State::Features { x } | State::Encoder { x, .. } => x,
            State::Decoder { logits, .. } | State::Done { logits } => logits,
        }
    }

    /// Token ids of the best sequence so far, the start token included.
    pub fn tokens(&self) -> &[u32] {
        self.search.best()
    }
}

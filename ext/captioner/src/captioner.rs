//! One model, ready: image in, text out.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::ThreadPool;

use crate::image::{load_bytes, load_path, Limits};
use crate::kernels::{Buffer, Compute};
use crate::models::florence2::{Florence2, Options, Run, Scoring, Stage, TokenScore};
use crate::runtime::lead;
use crate::{Error, Result};

/// A loaded model that captions images. Immutable and shared: captions run side by side, each with its own state.
pub struct Captioner {
    model: Florence2,
}

impl Captioner {
    /// Loads the checkpoint in the folder `path` or the packed file `path`; `map` maps its weights instead of reading them
    /// into memory, `compute` says how products with them are computed.
    ///
    /// # Errors
    /// `NotFound`, `UnsupportedModel` or `CorruptModel`, with the file at fault; `InvalidArgument` if the environment asks for
    /// instructions that this processor does not have.
    pub fn load(path: &Path, map: bool, compute: Compute) -> Result<Self> {
        Ok(Self { model: Florence2::load(path, map, compute)? })
    }

    /// The network behind it.
    pub fn model(&self) -> &Florence2 {
        &self.model
    }

    /// Bytes that the weights take, mapped or in memory.
    pub fn bytes(&self) -> usize {
        self.model.buffers().iter().map(Buffer::len).sum()
    }

    /// Reads a byte of every page of the weights, so that all of them are resident; for measuring. Gives their sum.
    pub fn touch(&self) -> u64 {
        let pages = self.model.buffers().iter().flat_map(|buffer| buffer.as_slice().iter().step_by(4096));
        pages.map(|byte| u64::from(*byte)).sum()
    }
}

/// Where an image comes from.
#[derive(Debug, Clone)]
pub enum Input {
    Path(PathBuf),
    Bytes(Vec<u8>),
}

/// A caption in the making. It can be stopped between two layers or tokens and goes on where it stopped.
pub struct Caption {
    captioner: Arc<Captioner>,
    input: Input,
    limits: Limits,
    options: Options,
    run: Option<Run>,
    seconds: Seconds,
}

/// Tokens are made without a look at other captions for so long.
const SLICE: Duration = Duration::from_millis(20);

/// How long a caption was worked on, by what was done.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Seconds {
    /// Reading the image, down to pixels of the model's size.
    pub image: f64,
    /// The vision tower and the projector.
    pub vision: f64,
    /// The text encoder.
    pub encoder: f64,
    /// The tokens of the caption.
    pub decoder: f64,
}

impl Caption {
    /// Nothing is read before [`Caption::advance`].
    pub fn new(captioner: Arc<Captioner>, input: Input, limits: Limits, options: Options) -> Self {
        Self { captioner, input, limits, options, run: None, seconds: Seconds::default() }
    }

    /// Works on `pool` until the caption is there or `stop` is set; in the latter case the error is `Interrupted` and the
    /// next call goes on.
    ///
    /// The pool gets one step, or a few tokens, at a time: a pool thread that waits for its part of a step may take up another
    /// caption's work, and then this caption, and the wish to stop it, wait for that only.
    pub fn advance(&mut self, pool: &ThreadPool, stop: &AtomicBool) -> Result<String> {
        let ids = self.advance_ids(pool, stop)?;
        Ok(self.captioner.model.processor().text(&ids))
    }

    /// [`Caption::advance`], but gives token ids; the start token is left out.
    pub fn advance_ids(&mut self, pool: &ThreadPool, stop: &AtomicBool) -> Result<Vec<u32>> {
        loop {
            if let (Stage::Done, run) = self.step(pool, stop)? {
                return Ok(run.tokens()[1..].to_vec());
            }
        }
    }

    /// How many tokens there are so far; the start token is left out.
    pub fn tokens(&self) -> usize {
        self.run.as_ref().map_or(0, |run| run.tokens().len().saturating_sub(1))
    }

    /// What the work took so far; other captions' work in between is in it.
    pub fn seconds(&self) -> Seconds {
        self.seconds
    }

    /// The next step, or some if they are tokens, which are short beside the way to the pool and back.
    fn step(&mut self, pool: &ThreadPool, stop: &AtomicBool) -> Result<(Stage, &Run)> {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let stage: Result<Stage> = lead(pool, || {
            let started = Instant::now();
            loop {
                let stage = self.work()?;
                if stage != Stage::Token || started.elapsed() > SLICE || stop.load(Ordering::Relaxed) {
                    return Ok(stage);
                }
            }
        });
        let run = || Error::Internal("a step left no caption behind".into());
        Ok((stage?, self.run.as_ref().ok_or_else(run)?))
    }

    /// One step of the model; before the first the image is read.
    fn work(&mut self) -> Result<Stage> {
        let model = &self.captioner.model;
        let mut started = Instant::now();
        let mut run = match self.run.take() {
            Some(run) => run,
            None => {
                let image = match &self.input {
                    Input::Path(path) => load_path(path, &self.limits)?,
                    Input::Bytes(bytes) => load_bytes(bytes, &self.limits)?,
                };
                let run = model.start(&image, &self.options)?;
                self.seconds.image += lap(&mut started);
                run
            }
        };
        let stage = model.step(&mut run)?;
        let seconds = match stage {
            Stage::Vision(_) | Stage::ImageFeatures => &mut self.seconds.vision,
            Stage::EncoderLayer | Stage::Encoder => &mut self.seconds.encoder,
            Stage::Token | Stage::Done => &mut self.seconds.decoder,
        };
        *seconds += lap(&mut started);
        self.run = Some(run);
        Ok(stage)
    }
}

/// Seconds since `from`, which becomes now.
fn lap(from: &mut Instant) -> f64 {
    std::mem::replace(from, Instant::now()).elapsed().as_secs_f64()
}

/// The scores of a given caption in the making, and if wanted the model's own caption of the same image: the image is
/// encoded once for both. It can be stopped and goes on like a [`Caption`].
pub struct Scores {
    own: Caption,
    given: Vec<u32>,
    scoring: Option<Scoring>,
}

impl Scores {
    /// `given` is a caption's token ids without the start token; `own` is the model's caption, just made.
    pub fn new(own: Caption, given: Vec<u32>) -> Self {
        Self { own, given, scoring: None }
    }

    /// What the model says of each token of the given caption that is not forced. Errors and weight as for
    /// [`Caption::advance`], and those of [`Florence2::start_scoring`].
    pub fn advance(&mut self, pool: &ThreadPool, stop: &AtomicBool) -> Result<Vec<TokenScore>> {
        let captioner = self.own.captioner.clone();
        loop {
            match &mut self.scoring {
                None => {
                    if let (Stage::Encoder, run) = self.own.step(pool, stop)? {
                        self.scoring = Some(captioner.model.start_scoring(run, &self.given)?);
                    }
                }
                Some(_) if stop.load(Ordering::Relaxed) => return Err(Error::Interrupted),
                Some(scoring) => {
                    if pool.install(|| captioner.model.score(scoring))? == Stage::Done {
                        return Ok(scoring.scores().to_vec());
                    }
                }
            }
        }
    }

    /// [`Scores::advance`], and the ids of the model's own caption.
    pub fn advance_both(&mut self, pool: &ThreadPool, stop: &AtomicBool) -> Result<(Vec<u32>, Vec<TokenScore>)> {
        let scores = self.advance(pool, stop)?;
        Ok((self.own.advance_ids(pool, stop)?, scores))
    }
}

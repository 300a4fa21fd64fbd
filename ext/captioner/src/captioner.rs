//! One model, ready: image in, text out.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Instant;

use rayon::ThreadPool;

use crate::image::{load_bytes, load_path, Limits};
use crate::kernels::Buffer;
use crate::models::florence2::{Florence2, Options, Run, Stage};
use crate::{Error, Result};

/// A loaded model that captions images. Immutable and shared: captions run side by side, each with its own state.
pub struct Captioner {
    model: Florence2,
}

impl Captioner {
    /// Loads the checkpoint in the folder `path` or the packed file `path`; `map` maps its weights instead of reading them
    /// into memory.
    ///
    /// # Errors
    /// `NotFound`, `UnsupportedModel` or `CorruptModel`, with the file at fault.
    pub fn load(path: &Path, map: bool) -> Result<Self> {
        Ok(Self { model: Florence2::load(path, map)? })
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
    /// The pool gets one step at a time: a pool thread that waits for its part of a step may take up another caption's work,
    /// and then this caption, and the wish to stop it, wait for that step only.
    pub fn advance(&mut self, pool: &ThreadPool, stop: &AtomicBool) -> Result<String> {
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            if let Some(text) = pool.install(|| self.step())? {
                return Ok(text);
            }
        }
    }

    /// How many tokens there are so far.
    pub fn tokens(&self) -> usize {
        // Less the start token, which no model made.
        self.run.as_ref().map_or(0, |run| run.tokens().len().saturating_sub(1))
    }

    /// What the work took so far; other captions' work in between is in it.
    pub fn seconds(&self) -> Seconds {
        self.seconds
    }

    /// Reads the image, or does one step of the model; the text when it is there.
    fn step(&mut self) -> Result<Option<String>> {
        let started = Instant::now();
        let model = &self.captioner.model;
        let Some(run) = &mut self.run else {
            let image = match &self.input {
                Input::Path(path) => load_path(path, &self.limits)?,
                Input::Bytes(bytes) => load_bytes(bytes, &self.limits)?,
            };
            self.run = Some(model.start(&image, &self.options)?);
            self.seconds.image += started.elapsed().as_secs_f64();
            return Ok(None);
        };
        let stage = model.step(run)?;
        let seconds = match stage {
            Stage::Vision(_) | Stage::ImageFeatures => &mut self.seconds.vision,
            Stage::EncoderLayer | Stage::Encoder => &mut self.seconds.encoder,
            Stage::Token | Stage::Done => &mut self.seconds.decoder,
        };
        *seconds += started.elapsed().as_secs_f64();
        Ok((stage == Stage::Done).then(|| model.text(run)))
    }
}

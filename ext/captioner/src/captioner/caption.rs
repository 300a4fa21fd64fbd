use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::ThreadPool;

use super::{Captioner, Input, Run};
use crate::generate::Writing;
use crate::image::Limits;
use crate::models::{Phase, Request};
use crate::runtime::lead;
use crate::{Error, Result};

/// A caption in the making. It can be stopped between two layers or tokens and goes on where it stopped.
pub struct Caption {
    pub(super) captioner: Arc<Captioner>,
    input: Input,
    limits: Limits,
    request: Request,
    /// The image's bytes, once they are read and until they are decoded.
    read: Option<Vec<u8>>,
    run: Option<Run>,
    seconds: Seconds,
}

/// Tokens are made without a look at other captions for so long.
pub(super) const SLICE: Duration = Duration::from_millis(20);

/// How long a caption was worked on, by what was done, in the order in which it was done first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seconds(Vec<(Phase, f64)>);

impl Seconds {
    fn add(&mut self, phase: Phase, seconds: f64) {
        match self.0.iter_mut().find(|(own, _)| *own == phase) {
            Some((_, sum)) => *sum += seconds,
            None => self.0.push((phase, seconds)),
        }
    }

    /// The seconds of every phase that there was.
    pub fn iter(&self) -> impl Iterator<Item = (Phase, f64)> + '_ {
        self.0.iter().copied()
    }
}

impl Caption {
    /// Nothing is read before [`Caption::advance`].
    ///
    /// # Errors
    /// `InvalidArgument` for something that the model cannot be asked.
    pub fn new(captioner: Arc<Captioner>, input: Input, limits: Limits, request: Request) -> Result<Self> {
        captioner.model.check(&request)?;
        Ok(Self { captioner, input, limits, request, read: None, run: None, seconds: Seconds::default() })
    }

    /// Works on `pool` until the caption is there or `stop` is set; in the latter case the error is `Interrupted` and the
    /// next call goes on.
    ///
    /// The calling thread reads the image's file. The pool gets one step, or a few tokens, at a time: a pool thread that
    /// waits for its part of a step may take up another caption's work, and then this caption, and the wish to stop it,
    /// wait for that only.
    pub fn advance(&mut self, pool: &ThreadPool, stop: &AtomicBool) -> Result<String> {
        let ids = self.advance_ids(pool, stop)?;
        Ok(self.captioner.model.text(&ids))
    }

    /// [`Caption::advance`], but gives the generated token ids.
    pub fn advance_ids(&mut self, pool: &ThreadPool, stop: &AtomicBool) -> Result<Vec<u32>> {
        loop {
            let run = self.step(pool, stop)?;
            if run.is_done() {
                return Ok(run.tokens().to_vec());
            }
        }
    }

    /// How many tokens there are so far.
    pub fn tokens(&self) -> usize {
        self.ids().len()
    }

    /// What the work took so far; other captions' work in between is in it.
    pub fn seconds(&self) -> &Seconds {
        &self.seconds
    }

    /// The next step, or some if they are tokens, which are short beside the way to the pool and back.
    pub(super) fn step(&mut self, pool: &ThreadPool, stop: &AtomicBool) -> Result<&Run> {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        self.read(stop)?;
        let worked: Result<()> = lead(pool, || {
            let started = Instant::now();
            loop {
                let phase = self.work(stop)?;
                let is_done = self.run.as_ref().is_some_and(Run::is_done);
                if phase != Phase::Decoder || is_done || started.elapsed() > SLICE || stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
            }
        });
        worked?;
        self.run.as_ref().ok_or_else(|| Error::Internal("a step left no caption behind".into()))
    }

    /// Reads the image, unless that is done.
    pub(super) fn read(&mut self, stop: &AtomicBool) -> Result<()> {
        if self.run.is_none() && self.read.is_none() {
            let mut started = Instant::now();
            self.read = Some(self.input.read(&self.limits, stop)?);
            self.seconds.add(Phase::Image, lap(&mut started));
        }
        Ok(())
    }

    /// Works on the calling thread, and those of its pool that are idle, until the image is encoded, or for a slice of time.
    ///
    /// # Errors
    /// As for [`Caption::advance`].
    pub(super) fn encode(&mut self, stop: &AtomicBool) -> Result<()> {
        let started = Instant::now();
        while !self.is_encoded() && started.elapsed() < SLICE {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            self.work(stop)?;
        }
        Ok(())
    }

    /// Is the image encoded?
    pub(super) fn is_encoded(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.is_encoded() || run.is_writing())
    }

    /// Is the caption there?
    pub(super) fn is_done(&self) -> bool {
        self.run.as_ref().is_some_and(Run::is_done)
    }

    /// The words in the making, of an image that is encoded. Errors as for [`Run::writing`].
    pub(super) fn writing(&mut self) -> Result<&mut Writing> {
        self.run.as_mut().ok_or_else(|| Error::Internal("no image was encoded".into()))?.writing()
    }

    /// The caption as token ids, so far.
    pub(super) fn ids(&self) -> &[u32] {
        self.run.as_ref().map_or(&[], Run::tokens)
    }

    /// Adds to what the work took.
    pub(super) fn spent(&mut self, phase: Phase, seconds: f64) {
        self.seconds.add(phase, seconds);
    }

    /// One step of the model; before the first the image, which is read, is decoded.
    fn work(&mut self, stop: &AtomicBool) -> Result<Phase> {
        let mut started = Instant::now();
        let mut run = match self.run.take() {
            Some(run) => run,
            None => {
                let read = self.read.take().ok_or_else(|| Error::Internal("the image was not read".into()))?;
                let image = self.input.decode(&read, &self.limits, stop)?;
                drop(read);
                let run = Run::new(&self.captioner.model, image, &self.request)?;
                self.seconds.add(Phase::Image, lap(&mut started));
                run
            }
        };
        let phase = run.step()?.phase;
        self.seconds.add(phase, lap(&mut started));
        self.run = Some(run);
        Ok(phase)
    }
}

/// Seconds since `from`, which becomes now.
fn lap(from: &mut Instant) -> f64 {
    std::mem::replace(from, Instant::now()).elapsed().as_secs_f64()
}

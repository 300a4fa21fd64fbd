use std::sync::atomic::{AtomicBool, Ordering};

use rayon::ThreadPool;

use super::Caption;
use crate::generate::{Scoring, TokenScore};
use crate::runtime::lead;
use crate::{Error, Result};

/// The scores of a given caption in the making, and if wanted the model's own caption of the same image: the image is
/// encoded once for both. It can be stopped and goes on like a [`Caption`].
pub struct Scores {
    own: Caption,
    given: Vec<u32>,
    scoring: Option<Scoring>,
}

impl Scores {
    /// `given` is a caption's generated token ids; `own` is the model's caption, just made.
    pub fn new(own: Caption, given: Vec<u32>) -> Self {
        Self { own, given, scoring: None }
    }

    /// What the model says of each token of the given caption that is not forced. Errors and weight as for
    /// [`Caption::advance`], and those of [`super::Run::score`].
    pub fn advance(&mut self, pool: &ThreadPool, stop: &AtomicBool) -> Result<Vec<TokenScore>> {
        loop {
            match &mut self.scoring {
                None => {
                    let run = self.own.step(pool, stop)?;
                    if run.is_encoded() {
                        let scoring: Result<Scoring> = lead(pool, || run.score(&self.given));
                        self.scoring = Some(scoring?);
                    }
                }
                Some(_) if stop.load(Ordering::Relaxed) => return Err(Error::Interrupted),
                Some(scoring) if scoring.is_done() => return Ok(scoring.scores().to_vec()),
                Some(scoring) => {
                    let scored: Result<()> = lead(pool, || scoring.step());
                    scored?;
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

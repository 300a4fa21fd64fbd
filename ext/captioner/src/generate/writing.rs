use candle_core::Tensor;

use super::settings::MAX_BEAMS;
use super::{Decoding, Search, Settings, Step, Turn};
use crate::kernels::FEW_ROWS;
use crate::nn::with_values;
use crate::runtime::{each, together};
use crate::{Error, Result};

/// A search over a decoder: the tokens of one caption, a step at a time.
pub struct Writing {
    decoding: Box<dyn Decoding>,
    search: Search,
    /// Ids before the first generated one.
    context: usize,
    logits: Option<Tensor>,
    done: bool,
}

impl Writing {
    /// A search by `settings` for at most `max_new_tokens` tokens, fewer where the decoder has no positions for them.
    pub fn new(decoding: Box<dyn Decoding>, settings: Settings, max_new_tokens: usize) -> Self {
        let max_new_tokens = max_new_tokens.min(decoding.room());
        let search = Search::with_context(settings, decoding.context(), max_new_tokens);
        let context = decoding.context().len();
        Self { decoding, search, context, logits: None, done: false }
    }

    /// Are these a number of beams and of tokens that a search can have?
    ///
    /// # Errors
    /// `InvalidArgument` if not.
    pub fn check(num_beams: usize, max_new_tokens: usize) -> Result<()> {
        if num_beams == 0 || num_beams > MAX_BEAMS {
            return Err(Error::InvalidArgument(format!("num_beams is {num_beams}, it must be from 1 to {MAX_BEAMS}")));
        }
        if max_new_tokens == 0 {
            return Err(Error::InvalidArgument("max_new_tokens must be at least 1".into()));
        }
        Ok(())
    }

    /// Makes the next token of every beam. After the last it does nothing.
    pub fn step(&mut self) -> Result<()> {
        Self::step_all(vec![self])
    }

    /// [`Writing::step`] of several captions of one model, together as far as the model can. Each gets the tokens that it would get
    /// alone.
    pub fn step_all(mut writings: Vec<&mut Self>) -> Result<()> {
        writings.retain(|writing| !writing.done);
        let tokens: Vec<Vec<u32>> = writings.iter().map(|writing| writing.search.last_tokens()).collect();
        let mut step = || {
            let logits = Self::logits_of_all(&mut writings, &tokens)?;
            let mut tasks: Vec<_> =
                writings.iter_mut().zip(logits).map(|(own, logits)| (own, logits, Ok(()))).collect();
            each(&mut tasks, |(writing, logits, taken)| *taken = writing.take(logits.clone()));
            tasks.into_iter().try_for_each(|(_, _, taken)| taken)
        };
        // More rows are matrix products like those of an encoder, which are the pool's.
        if tokens.iter().all(|tokens| tokens.len() <= FEW_ROWS) {
            together(step)
        } else {
            step()
        }
    }

    fn logits_of_all(writings: &mut [&mut Self], tokens: &[Vec<u32>]) -> Result<Vec<Tensor>> {
        let mut turns = writings.iter_mut().zip(tokens);
        let Some((first, own)) = turns.next() else { return Ok(Vec::new()) };
        let others = turns.map(|(writing, tokens)| Turn { decoding: &mut *writing.decoding, tokens });
        let mut others: Vec<Turn> = others.collect();
        first.decoding.step_with(own, &mut others)
    }

    /// Takes the logits of the next token.
    fn take(&mut self, logits: Tensor) -> Result<()> {
        let vocabulary = logits.dims2()?.1;
        let next = with_values(&logits, |logits| self.search.advance(logits, vocabulary))?;
        self.logits = Some(logits);
        match next {
            Step::Continue { parents } => self.decoding.reorder(&parents),
            Step::Done => self.done = true,
        }
        Ok(())
    }

    /// Is the caption there?
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The generated ids of the best sequence so far.
    pub fn tokens(&self) -> &[u32] {
        &self.search.best()[self.context..]
    }

    /// The last step's logits, `[beams, vocabulary]`.
    pub fn logits(&self) -> Option<&Tensor> {
        self.logits.as_ref()
    }
}

use candle_core::Tensor;

use super::settings::MAX_BEAMS;
use super::{Decoding, Search, Settings, Step};
use crate::kernels::FEW_ROWS;
use crate::nn::with_values;
use crate::runtime::together;
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
        if self.done {
            return Ok(());
        }
        let tokens = self.search.last_tokens();
        let Self { decoding, search, .. } = self;
        let mut token = || {
            let logits = decoding.step(&tokens)?;
            let vocabulary = logits.dims2()?.1;
            let next = with_values(&logits, |logits| search.advance(logits, vocabulary))?;
            Ok::<_, Error>((next, logits))
        };
        // More rows are matrix products like those of an encoder, which are the pool's.
        let (next, logits) = if tokens.len() <= FEW_ROWS { together(token)? } else { token()? };
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

//! Teacher forcing: a caption is given, and at each of its places the model is asked what it would have written.

use super::{Choice, Decoding, Processors, Settings};
use crate::kernels::log_sum_exp;
use crate::nn::with_values;
use crate::{Error, Result};

/// What a model says of one token of a given caption.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenScore {
    /// The given token.
    pub token: u32,
    /// The natural logarithm of the probability that the network gives it after the tokens before it.
    pub log_probability: f32,
    /// The likeliest token of those that the generation settings allow here; of equal ones the first.
    pub best: u32,
}

/// The scores of a caption in the making, token by token.
pub struct Scoring {
    decoding: Box<dyn Decoding>,
    processors: Processors,
    /// The context, and the given tokens after it.
    tokens: Vec<u32>,
    /// Tokens that the decoder has seen.
    seen: usize,
    scores: Vec<TokenScore>,
}

impl Scoring {
    /// Scores `ids`, a caption's generated ids, with a decoder that has written nothing.
    ///
    /// # Errors
    /// `InvalidArgument` for no ids, more than the model has positions for, or one outside its vocabulary.
    pub fn new(decoding: Box<dyn Decoding>, settings: Settings, ids: &[u32]) -> Result<Self> {
        let (room, vocabulary) = (decoding.room(), decoding.vocabulary());
        if ids.is_empty() || ids.len() > room {
            return Err(Error::InvalidArgument(format!("{} token ids cannot be scored, only 1 to {room}", ids.len())));
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= vocabulary) {
            return Err(Error::InvalidArgument(format!(
                "token id {id} is unknown, the last one is {}",
                vocabulary - 1
            )));
        }
        let seen = decoding.context().len() - 1;
        let tokens = [decoding.context(), ids].concat();
        // A length that is never reached: a given caption ends where it ends.
        let processors = Processors::new(settings, usize::MAX);
        Ok(Self { decoding, processors, tokens, seen, scores: Vec::new() })
    }

    /// Scores the next token. After the last it does nothing.
    pub fn step(&mut self) -> Result<()> {
        if self.is_done() {
            return Ok(());
        }
        let Self { decoding, processors, tokens, seen, scores } = self;
        let logits = decoding.step(&tokens[*seen..=*seen])?;
        *seen += 1;
        let (before, token) = (&tokens[..*seen], tokens[*seen]);
        let choice = processors.choice(before);
        if !matches!(choice, Choice::Forced(_)) {
            let (log_probability, best) = with_values(&logits, |row| {
                let shift = log_sum_exp(row);
                (row[token as usize] - shift, first_best(row, shift, &choice))
            })?;
            scores.push(TokenScore { token, log_probability, best });
        }
        Ok(())
    }

    /// Has every given token been looked at?
    pub fn is_done(&self) -> bool {
        self.seen + 1 == self.tokens.len()
    }

    /// The scores so far. Tokens that the generation settings force, such as a first `<s>`, have none: they are no choice.
    pub fn scores(&self) -> &[TokenScore] {
        &self.scores
    }
}

/// The token of the largest score; of equal ones the first.
fn first_best(row: &[f32], shift: f32, choice: &Choice) -> u32 {
    let (mut best, mut score) = (0, f32::NEG_INFINITY);
    for (token, logit) in (0..).zip(row) {
        if logit - shift > score && choice.score(token, logit - shift) > score {
            (best, score) = (token, logit - shift);
        }
    }
    best
}

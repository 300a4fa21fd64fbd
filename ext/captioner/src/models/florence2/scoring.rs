//! Teacher forcing: a caption is given, and at each of its places the model is asked what it would have written.

use super::bart::DecoderState;
use super::{Florence2, Run, Stage, State};
use crate::generate::{Choice, Processors};
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
    cache: DecoderState,
    processors: Processors,
    /// The start token and the given ones.
    tokens: Vec<u32>,
    /// Tokens that the decoder has seen.
    seen: usize,
    scores: Vec<TokenScore>,
}

impl Scoring {
    /// The scores so far. Tokens that the generation settings force, such as a first `<s>`, have none: they are no choice.
    pub fn scores(&self) -> &[TokenScore] {
        &self.scores
    }
}

impl Florence2 {
    /// Starts to score `ids`, a caption without the start token, on the image that `run` has just encoded: its last step
    /// was [`Stage::Encoder`]. The run itself may go on.
    ///
    /// # Errors
    /// `InvalidArgument` for no ids, more than the model has positions for, or one outside its vocabulary.
    pub fn start_scoring(&self, run: &Run, ids: &[u32]) -> Result<Scoring> {
        let text = &self.config.text_config;
        if ids.is_empty() || ids.len() > text.max_position_embeddings {
            let (count, room) = (ids.len(), text.max_position_embeddings);
            return Err(Error::InvalidArgument(format!("{count} token ids cannot be scored, only 1 to {room}")));
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= text.vocab_size) {
            let most = text.vocab_size - 1;
            return Err(Error::InvalidArgument(format!("token id {id} is unknown, the last one is {most}")));
        }
        let State::Encoder { x, layer } = &run.state else {
            return Err(Error::Internal("scoring starts where the encoder has ended".into()));
        };
        debug_assert_eq!(*layer, self.encoder.layers());
        let tokens = [&[self.settings.decoder_start_token_id.unwrap_or(0)], ids].concat();
        Ok(Scoring {
            cache: self.decoder.start(x)?,
            // A length that is never reached: a given caption ends where it ends.
            processors: Processors::new(self.settings.clone(), usize::MAX),
            tokens,
            seen: 0,
            scores: Vec::new(),
        })
    }

    /// Scores the next token; [`Stage::Done`] after the last.
    pub fn score(&self, scoring: &mut Scoring) -> Result<Stage> {
        let Scoring { cache, processors, tokens, seen, scores } = scoring;
        if *seen + 1 == tokens.len() {
            return Ok(Stage::Done);
        }
        let logits = self.decoder.step(&tokens[*seen..=*seen], cache)?;
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
        Ok(if *seen + 1 == tokens.len() { Stage::Done } else { Stage::Token })
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

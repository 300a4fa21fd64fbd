use std::sync::Arc;

use candle_core::Tensor;

use crate::generate::{Scoring, Settings, Writing};
use crate::image::RgbImage;
use crate::models::{Advance, Encoding, Model, Phase, Request};
use crate::{Error, Result};

/// One answer of a model in the making, step by step: layers first, then tokens.
pub struct Run {
    settings: Settings,
    max_new_tokens: usize,
    state: State,
}

enum State {
    Encoding { encoding: Box<dyn Encoding>, ready: bool },
    Writing(Writing),
}

impl Run {
    /// Nothing is computed before [`Run::step`].
    ///
    /// # Errors
    /// `InvalidArgument` for something that the model cannot be asked, and for zero beams or tokens.
    pub fn new(model: &Arc<dyn Model>, image: RgbImage, request: &Request) -> Result<Self> {
        Self::with_settings(model, image, request, model.settings().clone())
    }

    /// [`Run::new`] with other generation settings than the checkpoint's.
    pub fn with_settings(
        model: &Arc<dyn Model>,
        image: RgbImage,
        request: &Request,
        mut settings: Settings,
    ) -> Result<Self> {
        settings.num_beams = request.num_beams.unwrap_or(settings.num_beams);
        let max_new_tokens = request.max_new_tokens.unwrap_or(model.max_new_tokens());
        Writing::check(settings.num_beams, max_new_tokens)?;
        let state = State::Encoding { encoding: model.clone().begin(image, request)?, ready: false };
        Ok(Self { settings, max_new_tokens, state })
    }

    /// Does the next piece of work: a layer or less, or a token of every beam. After an error the answer is lost, after the
    /// last token nothing is left to do.
    pub fn step(&mut self) -> Result<Advance> {
        let advance = match &mut self.state {
            State::Encoding { encoding, ready: false } => encoding.step()?,
            _ => {
                self.writing()?.step()?;
                Advance { phase: Phase::Decoder, part: "decoder".into(), ready: true }
            }
        };
        if let State::Encoding { ready, .. } = &mut self.state {
            *ready = advance.ready;
        }
        Ok(advance)
    }

    /// The answer in the making, of an image that is encoded.
    ///
    /// # Errors
    /// `Internal` before.
    pub fn writing(&mut self) -> Result<&mut Writing> {
        if let State::Encoding { encoding, .. } = &self.state {
            let writing = Writing::new(encoding.decoding()?, self.settings.clone(), self.max_new_tokens);
            self.state = State::Writing(writing);
        }
        match &mut self.state {
            State::Writing(writing) => Ok(writing),
            State::Encoding { .. } => Err(Error::Internal("an answer is written after the image was encoded".into())),
        }
    }

    /// Is the answer there?
    pub fn is_done(&self) -> bool {
        matches!(&self.state, State::Writing(writing) if writing.is_done())
    }

    /// Is the image encoded, and nothing written yet?
    pub fn is_encoded(&self) -> bool {
        matches!(self.state, State::Encoding { ready: true, .. })
    }

    /// Is something written, or about to be?
    pub(super) fn is_writing(&self) -> bool {
        matches!(self.state, State::Writing(_))
    }

    /// The generated token ids of the best sequence so far.
    pub fn tokens(&self) -> &[u32] {
        match &self.state {
            State::Encoding { .. } => &[],
            State::Writing(writing) => writing.tokens(),
        }
    }

    /// What the last step finished, by the reference's name, if parity is measured there: hidden states
    /// `[tokens, channels]`, or logits `[beams, vocabulary]`.
    pub fn tap(&self) -> Option<(String, &Tensor)> {
        match &self.state {
            State::Encoding { encoding, .. } => encoding.tap(),
            State::Writing(writing) => writing.logits().map(|logits| ("logits".into(), logits)),
        }
    }

    /// Starts to score `ids`, an answer's generated ids, on the image that was just encoded. The run itself may go on.
    ///
    /// # Errors
    /// `Internal` unless [`Run::is_encoded`]; those of [`Scoring::new`].
    pub fn score(&self, ids: &[u32]) -> Result<Scoring> {
        match &self.state {
            State::Encoding { encoding, ready: true } => Scoring::new(encoding.decoding()?, self.settings.clone(), ids),
            _ => Err(Error::Internal("scoring starts where the image has been encoded".into())),
        }
    }
}

use std::sync::Arc;

use candle_core::Tensor;

use super::vision::Progress;
use super::Moondream2;
use crate::blocks::{CausalState, Prefill};
use crate::generate::Decoding;
use crate::models::{Advance, Encoding, Phase};
use crate::text::Prompt;
use crate::{Error, Result};

/// An image and a prompt on their way to the first token.
pub(super) struct Moondream2Encoding {
    model: Arc<Moondream2>,
    prompt: Prompt,
    state: State,
    /// The stage that the last step finished, and what it made.
    finished: Option<(&'static str, Tensor)>,
}

enum State {
    Vision(Progress),
    Image(Tensor),
    Prefill(Prefill),
    Ready(CausalState),
}

impl Moondream2Encoding {
    pub(super) fn new(model: Arc<Moondream2>, prompt: Prompt, progress: Progress) -> Self {
        Self { model, prompt, state: State::Vision(progress), finished: None }
    }
}

impl Encoding for Moondream2Encoding {
    fn step(&mut self) -> Result<Advance> {
        self.finished = None;
        let model = &self.model;
        let (phase, part) = match &mut self.state {
            State::Vision(progress) => match progress.features() {
                None => {
                    model.vision.step(progress)?;
                    self.finished = progress.features().map(|features| ("vision", features.clone()));
                    (Phase::Vision, "tower")
                }
                Some(features) => {
                    let image = model.vision.project(features, progress.tiling)?;
                    self.finished = Some(("image_features", image.clone()));
                    self.state = State::Image(image);
                    (Phase::Vision, "projector")
                }
            },
            State::Image(image) => {
                let prefill = model.text.start(&self.prompt, image)?;
                self.state = State::Prefill(prefill);
                (Phase::Prefill, "embedding")
            }
            State::Prefill(prefill) => {
                model.text.layer(prefill)?;
                if prefill.layers() == model.text.layers() {
                    self.state = State::Ready(model.text.state(prefill)?);
                }
                (Phase::Prefill, "layers")
            }
            State::Ready(_) => return Err(Error::Internal("the image is encoded already".into())),
        };
        Ok(Advance { phase, part: part.into(), ready: matches!(self.state, State::Ready(_)) })
    }

    fn tap(&self) -> Option<(String, &Tensor)> {
        self.finished.as_ref().map(|(name, x)| (name.to_string(), x))
    }

    fn decoding(&self) -> Result<Box<dyn Decoding>> {
        let State::Ready(state) = &self.state else {
            return Err(Error::Internal("decoding starts where the prompt has been read".into()));
        };
        let state = state.clone();
        Ok(Box::new(Moondream2Decoding { model: self.model.clone(), prompt: self.prompt.clone(), state }))
    }
}

/// One search's memory.
struct Moondream2Decoding {
    model: Arc<Moondream2>,
    prompt: Prompt,
    state: CausalState,
}

impl Decoding for Moondream2Decoding {
    fn context(&self) -> &[u32] {
        self.prompt.ids()
    }

    /// The last token is never an input.
    fn room(&self) -> usize {
        (self.model.config.config.text.max_context + 1).saturating_sub(self.prompt.ids().len())
    }

    fn vocabulary(&self) -> usize {
        self.model.config.config.text.vocab_size
    }

    fn step(&mut self, tokens: &[u32]) -> Result<Tensor> {
        self.model.text.step(tokens, &mut self.state)
    }

    fn reorder(&mut self, parents: &[usize]) {
        self.state.reorder(parents);
    }
}

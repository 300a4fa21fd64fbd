use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::tiles::Tiles;
use super::SmolVlm;
use crate::blocks::{CausalState, Prefill};
use crate::generate::Decoding;
use crate::models::{Advance, Encoding, Phase};
use crate::nn::with_values;
use crate::text::Prompt;
use crate::{Error, Result};

/// An image and a question on their way: tile by tile through the tower, then the whole prompt through the text model.
pub struct SmolVlmEncoding {
    model: Arc<SmolVlm>,
    tiles: Tiles,
    prompt: Prompt,
    /// Rows of all images that are through the connector.
    features: Vec<f32>,
    state: State,
    finished: Option<(String, Tensor)>,
}

enum State {
    /// The next image to look at.
    Image(usize),
    Tower {
        image: usize,
        layer: usize,
        x: Tensor,
    },
    /// An image's patches behind the tower's last norm.
    Seen {
        image: usize,
        x: Tensor,
    },
    Text(Prefill),
    Ready(CausalState),
}

impl SmolVlmEncoding {
    pub(super) fn new(model: Arc<SmolVlm>, tiles: Tiles, prompt: Prompt) -> Self {
        Self { model, tiles, prompt, features: Vec::new(), state: State::Image(0), finished: None }
    }

    /// On through the connector, to the next image or to the text.
    fn connect(&mut self, image: usize, x: &Tensor) -> Result<State> {
        let tokens = self.model.connector.forward(x)?;
        with_values(&tokens, |tokens| self.features.extend_from_slice(tokens))?;
        self.finished = Some((format!("connector.{image}"), tokens));
        if image + 1 < self.tiles.grid().images() {
            return Ok(State::Image(image + 1));
        }
        let hidden = self.model.config.text_config.hidden_size;
        let features = std::mem::take(&mut self.features);
        let rows = features.len() / hidden;
        let features = Tensor::from_vec(features, (rows, hidden), &Device::Cpu)?;
        // The last token is the first input of the decoder.
        let seen = self.prompt.ids().len() - 1;
        let x = self.prompt.embed(seen, &self.model.tokens, &features)?;
        Ok(State::Text(self.model.decoder.start(x, 0)?.state_only()))
    }
}

impl Encoding for SmolVlmEncoding {
    fn step(&mut self) -> Result<Advance> {
        self.finished = None;
        let model = self.model.clone();
        let advance = |phase, part: &str| Ok(Advance { phase, part: part.into(), ready: false });
        match &mut self.state {
            State::Image(image) => {
                let (image, side) = (*image, model.config.vision_config.image_size);
                let pixels = self.tiles.pixel_values(image, &model.image)?;
                let pixels = Tensor::from_vec(pixels, (side * side, 3), &Device::Cpu)?;
                let x = model.patches.forward(&pixels, (side, side))?;
                self.state = State::Tower { image, layer: 0, x };
                advance(Phase::Vision, "patch embedding")
            }
            State::Tower { layer, x, .. } if *layer < model.tower.layers() => {
                model.tower.layer(*layer, x, model.config.grid().pow(2))?;
                *layer += 1;
                advance(Phase::Vision, "vision tower")
            }
            State::Tower { image, x, .. } => {
                let (image, x) = (*image, model.tower.norm(x)?);
                self.finished = Some((format!("vision.{image}"), x.clone()));
                self.state = State::Seen { image, x };
                advance(Phase::Vision, "vision tower")
            }
            State::Seen { image, x } => {
                let (image, x) = (*image, x.clone());
                self.state = self.connect(image, &x)?;
                advance(Phase::Vision, "connector")
            }
            State::Text(prefill) => {
                model.decoder.layer(prefill)?;
                let ready = prefill.layers() == model.decoder.layers();
                if ready {
                    self.state = State::Ready(model.decoder.state(prefill)?);
                }
                Ok(Advance { phase: Phase::Prefill, part: "prefill".into(), ready })
            }
            State::Ready(_) => Err(Error::Internal("the image is encoded already".into())),
        }
    }

    fn tap(&self) -> Option<(String, &Tensor)> {
        self.finished.as_ref().map(|(name, values)| (name.clone(), values))
    }

    fn decoding(&self) -> Result<Box<dyn Decoding>> {
        let State::Ready(state) = &self.state else {
            return Err(Error::Internal("decoding starts where the prompt has been read".into()));
        };
        let (model, context) = (self.model.clone(), self.prompt.ids().to_vec());
        Ok(Box::new(SmolVlmDecoding { model, context, state: state.clone() }))
    }
}

struct SmolVlmDecoding {
    model: Arc<SmolVlm>,
    context: Vec<u32>,
    state: CausalState,
}

impl Decoding for SmolVlmDecoding {
    fn context(&self) -> &[u32] {
        &self.context
    }

    fn room(&self) -> usize {
        (self.model.config.text_config.max_position_embeddings + 1).saturating_sub(self.context.len())
    }

    fn vocabulary(&self) -> usize {
        self.model.config.text_config.vocab_size
    }

    fn step(&mut self, tokens: &[u32]) -> Result<Tensor> {
        let x = self.model.tokens.forward(tokens.iter().map(|&token| token as usize))?;
        self.model.head.forward(&self.model.decoder.step(&x, &mut self.state)?)
    }

    fn reorder(&mut self, parents: &[usize]) {
        self.state.reorder(parents);
    }
}

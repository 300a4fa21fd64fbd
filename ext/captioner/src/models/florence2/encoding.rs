use std::any::Any;
use std::sync::Arc;

use candle_core::Tensor;

use super::bart::DecoderState;
use super::davit::{self, Reached};
use super::task::Task;
use super::Florence2;
use crate::generate::{each_by_itself, Decoding, Turn};
use crate::kernels::Regime;
use crate::models::{Advance, Encoding, Phase};
use crate::{Error, Result};

/// An image and a question on their way through the vision tower and the text encoder.
pub struct Florence2Encoding {
    model: Arc<Florence2>,
    task: Task,
    state: State,
    /// The stage that the last step finished.
    finished: Option<String>,
}

enum State {
    Vision(davit::Progress),
    Grid { x: Tensor, size: (usize, usize) },
    Features { x: Tensor },
    Encoder { x: Tensor, layer: usize },
}

impl Florence2Encoding {
    pub(super) fn new(model: Arc<Florence2>, task: Task, pixels: Tensor) -> Self {
        let progress = model.vision.start(pixels, model.processor.size());
        Self { model, task, state: State::Vision(progress), finished: None }
    }

    /// The next piece of work: its phase, its part of the network, and the stage that it finished.
    fn work(&mut self) -> Result<(Phase, String, Option<String>)> {
        let model = &self.model;
        match &mut self.state {
            State::Vision(progress) => {
                let (part, reached) = (progress.part(), model.vision.step(progress)?);
                if matches!(reached, Reached::End(_)) {
                    self.state = State::Grid { x: progress.x.clone(), size: progress.size };
                }
                let finished = match reached {
                    Reached::Embedding(stage) => Some(format!("patch_embed.{stage}")),
                    Reached::Stage(stage) | Reached::End(stage) => Some(format!("stage.{stage}")),
                    Reached::Inside => None,
                };
                Ok((Phase::Vision, part, finished))
            }
            State::Grid { x, size } => {
                let features = model.projector.forward(x, size.1)?;
                self.state = State::Features { x: features };
                Ok((Phase::Vision, "projector".into(), Some("image_features".into())))
            }
            State::Features { x } => {
                let x = model.embed(x, self.task)?;
                self.state = State::Encoder { x, layer: 0 };
                Ok((Phase::Encoder, "encoder".into(), None))
            }
            State::Encoder { x, layer } if *layer < model.encoder.layers() => {
                *x = model.encoder.layer(*layer, x)?;
                *layer += 1;
                let is_last = *layer == model.encoder.layers();
                Ok((Phase::Encoder, "encoder".into(), is_last.then(|| "encoder".into())))
            }
            State::Encoder { .. } => Err(Error::Internal("the image is encoded already".into())),
        }
    }

    fn output(&self) -> &Tensor {
        match &self.state {
            State::Vision(progress) => &progress.x,
            State::Grid { x, .. } | State::Features { x } | State::Encoder { x, .. } => x,
        }
    }

    fn encoded(&self) -> Option<&Tensor> {
        match &self.state {
            State::Encoder { x, layer } if *layer == self.model.encoder.layers() => Some(x),
            _ => None,
        }
    }
}

impl Encoding for Florence2Encoding {
    fn step(&mut self) -> Result<Advance> {
        let (phase, part, finished) = self.work()?;
        self.finished = finished;
        Ok(Advance { phase, part, ready: self.encoded().is_some() })
    }

    fn tap(&self) -> Option<(String, &Tensor)> {
        self.finished.clone().map(|name| (name, self.output()))
    }

    fn decoding(&self) -> Result<Box<dyn Decoding>> {
        let encoded =
            self.encoded().ok_or_else(|| Error::Internal("decoding starts where the encoder has ended".into()))?;
        let state = self.model.decoder.start(encoded)?;
        Ok(Box::new(Florence2Decoding {
            start: [self.model.settings.decoder_start_token_id.unwrap_or(0)],
            model: self.model.clone(),
            state,
        }))
    }
}

struct Florence2Decoding {
    model: Arc<Florence2>,
    start: [u32; 1],
    state: DecoderState,
}

impl Florence2Decoding {
    /// Of the same model?
    fn is_alike(&self, other: &dyn Decoding) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref::<Self>().is_some_and(|other| Arc::ptr_eq(&other.model, &self.model))
    }
}

impl Decoding for Florence2Decoding {
    fn context(&self) -> &[u32] {
        &self.start
    }

    /// The last token is never an input, so the start token takes its position.
    fn room(&self) -> usize {
        self.model.config.text_config.max_position_embeddings
    }

    fn vocabulary(&self) -> usize {
        self.model.config.text_config.vocab_size
    }

    fn step(&mut self, tokens: &[u32]) -> Result<Tensor> {
        self.model.decoder.step(&mut [(tokens, &mut self.state)])
    }

    fn step_with(&mut self, tokens: &[u32], others: &mut [Turn]) -> Result<Vec<Tensor>> {
        let are_few = others.iter().map(|turn| turn.tokens).chain([tokens]).all(|t| Regime::of(t.len()) == Regime::Few);
        if !are_few || !others.iter().all(|turn| self.is_alike(turn.decoding)) {
            return each_by_itself(self, tokens, others);
        }
        let mut sequences = vec![(tokens, &mut self.state)];
        for Turn { decoding, tokens } in others {
            let decoding: &mut dyn Any = &mut **decoding;
            sequences.extend(decoding.downcast_mut::<Self>().map(|other| (*tokens, &mut other.state)));
        }
        let logits = self.model.decoder.step(&mut sequences)?;
        let mut first = 0;
        let mut own = |(tokens, _): &(&[u32], _)| {
            first += tokens.len();
            Ok(logits.narrow(0, first - tokens.len(), tokens.len())?)
        };
        sequences.iter().map(&mut own).collect()
    }

    fn reorder(&mut self, parents: &[usize]) {
        self.state.reorder(parents);
    }
}

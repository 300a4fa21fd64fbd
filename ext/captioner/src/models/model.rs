//! What a family's model is to everything above it.

use std::sync::Arc;

use candle_core::Tensor;

use crate::generate::{Decoding, Settings};
use crate::image::RgbImage;
use crate::kernels::Buffer;
use crate::Result;

/// What a caller asks of one image. What is not given is the family's or the checkpoint's own choice.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// One of the family's tasks.
    pub task: Option<String>,
    /// A question in the caller's words, instead of a task.
    pub prompt: Option<String>,
    pub num_beams: Option<usize>,
    /// Fewer where the model has no positions for as many.
    pub max_new_tokens: Option<usize>,
    /// Whether an image is looked at in tiles too, or only as a whole.
    pub image_splitting: Option<bool>,
}

/// What work a caption's time goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Reading the image, down to pixels of the model's size.
    Image,
    /// The vision tower, and what joins it to the language model.
    Vision,
    /// A text encoder over image and prompt.
    Encoder,
    /// The decoder's first look at image and prompt, in one pass.
    Prefill,
    /// The tokens of the caption.
    Decoder,
}

impl Phase {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Image => "image",
            Phase::Vision => "vision",
            Phase::Encoder => "encoder",
            Phase::Prefill => "prefill",
            Phase::Decoder => "decoder",
        }
    }
}

/// What a step of an [`Encoding`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    pub phase: Phase,
    /// The part of the network, for tables of where time goes.
    pub part: String,
    /// Is the image encoded, so that [`Encoding::decoding`] can be called?
    pub ready: bool,
}

/// A loaded model. Immutable: any number of captions may be made with it at once.
pub trait Model: Send + Sync {
    /// The name of its family.
    fn family(&self) -> &'static str;

    /// The generation settings of the checkpoint.
    fn settings(&self) -> &Settings;

    /// Tokens that a caption may have unless the caller says otherwise.
    fn max_new_tokens(&self) -> usize;

    /// Images that are best captioned together where there are many: one, unless that gains more than it takes memory.
    fn batch_size(&self) -> usize {
        1
    }

    /// The bytes of the weights, mapped or in memory.
    fn buffers(&self) -> &[Buffer];

    /// Is this something that the model can be asked? No image is needed to tell.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown task, or an option that the family does not have.
    fn check(&self, request: &Request) -> Result<()>;

    /// Starts on an image; [`Encoding::step`] does the work. Errors as for [`Model::check`].
    fn begin(self: Arc<Self>, image: RgbImage, request: &Request) -> Result<Box<dyn Encoding>>;

    /// The answer that generated ids stand for.
    fn text(&self, ids: &[u32]) -> String;
}

/// An image on its way to the decoder. It can be left between two steps and taken up again.
pub trait Encoding: Send + Sync {
    /// Does the next piece of work: a layer or less. After an error the caption is lost.
    fn step(&mut self) -> Result<Advance>;

    /// What the last step finished, by the reference's name, if it is a stage that parity is measured at: hidden states
    /// `[tokens, channels]`.
    fn tap(&self) -> Option<(String, &Tensor)>;

    /// A decoder that has written nothing; every call gives one of its own.
    ///
    /// # Errors
    /// `Internal` before the last step.
    fn decoding(&self) -> Result<Box<dyn Decoding>>;
}

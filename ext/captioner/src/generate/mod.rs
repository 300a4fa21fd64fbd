//! From logits to token ids: beam search as transformers does it (`generation/utils.py`), greedy as one beam.

mod beam;
mod decoding;
mod logits;
mod scoring;
mod writing;

pub use beam::{Search, Step};
pub use decoding::Decoding;
pub use logits::{Choice, EarlyStopping, Processors, Settings};
pub use scoring::{Scoring, TokenScore};
pub use writing::Writing;

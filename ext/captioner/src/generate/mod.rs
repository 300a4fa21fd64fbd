//! From logits to token ids: beam search as transformers does it (`generation/utils.py`), and greedy search.

mod beam;
mod decoding;
mod greedy;
mod logits;
mod scoring;
mod search;
mod settings;
mod writing;

pub use decoding::Decoding;
pub use logits::{Choice, Processors};
pub use scoring::{Scoring, TokenScore};
pub use search::{Search, Step};
pub use settings::{token_ids, EarlyStopping, Settings};
pub use writing::Writing;

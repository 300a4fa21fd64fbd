//! From logits to token ids: beam search as transformers does it (`generation/utils.py`), and greedy search.

mod beam;
mod decoding;
mod greedy;
mod logits;
mod scoring;
mod search;
mod settings;
mod step;
mod writing;

pub use decoding::{each_by_itself, Decoding, Turn};
pub use logits::{Choice, Processors};
pub use scoring::{Scoring, TokenScore};
pub use search::Search;
pub use settings::{token_ids, EarlyStopping, Settings};
pub use step::Step;
pub use writing::Writing;

//! From logits to token ids: beam search as transformers does it (`generation/utils.py`), greedy as one beam.

mod beam;
mod logits;

pub use beam::{Search, Step};
pub use logits::{Choice, EarlyStopping, Processors, Settings};

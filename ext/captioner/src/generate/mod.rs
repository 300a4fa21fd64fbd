//! From logits to token ids: beam search as transformers does it (`generation/utils.py`), and greedy search.

mod beam;
mod greedy;
mod logits;
mod search;
mod settings;

pub use logits::{Choice, Processors};
pub use search::{Search, Step};
pub use settings::{token_ids, EarlyStopping, Settings};

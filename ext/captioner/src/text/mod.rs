//! Between text and token ids.

mod prompt;
mod special;
mod vocabulary;

pub use prompt::{Prompt, PromptBuilder};
pub use special::special_ids;
pub use vocabulary::{byte_level, Vocabulary};

//! Text on its way in and out: token ids to text by a table, and prompts with room for images.

mod prompt;
mod vocabulary;

pub use prompt::{Prompt, PromptBuilder};
pub use vocabulary::{open_tokenizer, special_ids, Vocabulary};

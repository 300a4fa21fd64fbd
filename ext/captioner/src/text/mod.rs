//! Between text and token ids: a table for what is generated, prompts with room for images, and the words of a caller.

mod encoder;
mod prompt;
mod tokenizer;
mod vocabulary;

pub use encoder::TextEncoder;
pub use prompt::{Prompt, PromptBuilder};
pub use tokenizer::{end_id, open_tokenizer, special_ids};
pub use vocabulary::Vocabulary;

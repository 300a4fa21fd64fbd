//! Between text and token ids.

mod vocabulary;

pub use vocabulary::{byte_level, Vocabulary};

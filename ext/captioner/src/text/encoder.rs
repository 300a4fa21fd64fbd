use std::sync::OnceLock;

use tokenizers::Tokenizer;

use crate::kernels::Buffer;
use crate::{Error, Result};

/// Text to token ids. The tokenizer is only made when it is first needed: a caption without words of the caller's never does.
pub struct TextEncoder {
    json: Buffer,
    tokenizer: OnceLock<Tokenizer>,
}

impl TextEncoder {
    /// From the contents of `tokenizer.json`, which are not looked at yet.
    pub fn new(json: Buffer) -> Self {
        Self { json, tokenizer: OnceLock::new() }
    }

    /// The ids of a text, without tokens that a template would add.
    ///
    /// # Errors
    /// `CorruptModel` for a tokenizer that is none, `InvalidArgument` for a text that it cannot encode.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let tokenizer = match self.tokenizer.get() {
            Some(tokenizer) => tokenizer,
            None => {
                let damaged = |error| Error::CorruptModel(format!("the model's tokenizer.json is damaged: {error}"));
                let made = Tokenizer::from_bytes(self.json.as_slice()).map_err(damaged)?;
                // Whoever else was making one keeps theirs.
                self.tokenizer.get_or_init(|| made)
            }
        };
        let encoding = tokenizer
            .encode(text, false)
            .map_err(|error| Error::InvalidArgument(format!("the text cannot be encoded: {error}")))?;
        Ok(encoding.get_ids().to_vec())
    }
}

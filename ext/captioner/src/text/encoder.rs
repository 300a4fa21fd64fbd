use std::borrow::Cow;
use std::io::Read;
use std::sync::OnceLock;

use flate2::read::ZlibDecoder;
use tokenizers::Tokenizer;

use super::tokenizer::parse;
use crate::kernels::Buffer;
use crate::{Error, Result};

/// More than any tokenizer takes, so that a damaged file cannot fill the memory.
const MOST_JSON: u64 = 256 << 20;

/// Text to token ids. The tokenizer is only made when it is first needed: a caption without words of the caller's never does.
pub struct TextEncoder {
    stored: Stored,
    tokenizer: OnceLock<Tokenizer>,
}

enum Stored {
    Json(Buffer),
    Deflated(Buffer),
}

impl TextEncoder {
    /// From the contents of `tokenizer.json`, which are not looked at yet.
    pub fn new(json: Buffer) -> Self {
        Self { stored: Stored::Json(json), tokenizer: OnceLock::new() }
    }

    /// The same, of contents that zlib deflated.
    pub fn deflated(json: Buffer) -> Self {
        Self { stored: Stored::Deflated(json), tokenizer: OnceLock::new() }
    }

    /// The contents of `tokenizer.json`.
    ///
    /// # Errors
    /// `CorruptModel` if they cannot be inflated.
    pub fn json(&self) -> Result<Cow<'_, [u8]>> {
        match &self.stored {
            Stored::Json(json) => Ok(Cow::Borrowed(json.as_slice())),
            Stored::Deflated(bytes) => {
                let mut json = Vec::new();
                let read = ZlibDecoder::new(bytes.as_slice()).take(MOST_JSON).read_to_end(&mut json);
                read.map_err(|error| {
                    Error::CorruptModel(format!("the tokenizer of a packed file is damaged: {error}"))
                })?;
                Ok(Cow::Owned(json))
            }
        }
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
                let made = parse(&self.json()?).map_err(damaged)?;
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

use std::collections::BTreeMap;

use safetensors::Dtype;
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::kernels::Buffer;
use crate::text::Vocabulary;
use crate::weights::packed::Packed;
use crate::{Error, Result};

/// Names of the parts of a packed file that are bytes and no weights.
const BLOBS: [&str; 3] = ["vocabulary.bytes", "vocabulary.ends", TOKENIZER];
const TOKENIZER: &str = "tokenizer";

/// What a model is made of beside its tensors: configurations as JSON by name, and tables. A checkpoint's folder is read into
/// this form, and a packed file keeps it, so that a model is built the same way from either.
#[derive(Default)]
pub struct Parts {
    texts: BTreeMap<String, String>,
    blobs: BTreeMap<&'static str, Blob>,
}

/// A table as bytes.
pub struct Blob {
    pub dtype: Dtype,
    pub bytes: Buffer,
}

impl Parts {
    /// Those of a packed file.
    pub fn of(packed: &Packed) -> Self {
        let texts = packed.all_metadata().clone();
        let blob = |name| packed.part(name).ok().map(|bytes| (name, Blob { dtype: dtype(name), bytes }));
        Self { texts, blobs: BLOBS.into_iter().filter_map(blob).collect() }
    }

    /// Adds a configuration.
    pub fn put(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(value).map_err(|error| Error::Internal(format!("{name}: {error}")))?;
        self.texts.insert(name.into(), text);
        Ok(())
    }

    /// Adds the table of token texts.
    pub fn put_vocabulary(&mut self, vocabulary: &Vocabulary) {
        let (bytes, ends) = vocabulary.parts();
        self.put_blob(BLOBS[0], bytes.to_vec());
        self.put_blob(BLOBS[1], ends.iter().flat_map(|end| end.to_le_bytes()).collect());
    }

    /// Adds the tokenizer, for families that encode a caller's words.
    pub fn put_tokenizer(&mut self, json: Vec<u8>) {
        self.put_blob(TOKENIZER, json);
    }

    fn put_blob(&mut self, name: &'static str, bytes: Vec<u8>) {
        self.blobs.insert(name, Blob { dtype: dtype(name), bytes: Buffer::owned(bytes) });
    }

    /// A configuration's text.
    ///
    /// # Errors
    /// `CorruptModel` if there is none.
    pub fn text(&self, name: &str) -> Result<&str> {
        let missing = || Error::CorruptModel(format!("the packed file has no {name}; delete it to have it made anew"));
        self.texts.get(name).map(String::as_str).ok_or_else(missing)
    }

    /// A configuration.
    ///
    /// # Errors
    /// `CorruptModel` if there is none, or another than was asked for.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let damaged = |error| Error::CorruptModel(format!("a packed file's {name}: {error}"));
        serde_json::from_str(self.text(name)?).map_err(damaged)
    }

    /// The table of token texts.
    ///
    /// # Errors
    /// `CorruptModel` if there is none, or a damaged one.
    pub fn vocabulary(&self) -> Result<Vocabulary> {
        let ends = self.blob(BLOBS[1])?.as_slice().chunks_exact(4);
        let ends = ends.map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Vocabulary::new(self.blob(BLOBS[0])?.as_slice().to_vec(), ends)
    }

    /// The tokenizer's JSON.
    ///
    /// # Errors
    /// `CorruptModel` if there is none.
    pub fn tokenizer(&self) -> Result<&Buffer> {
        self.blob(TOKENIZER)
    }

    fn blob(&self, name: &str) -> Result<&Buffer> {
        let missing = || Error::CorruptModel(format!("the packed file has no {name}; delete it to have it made anew"));
        self.blobs.get(name).map(|blob| &blob.bytes).ok_or_else(missing)
    }

    /// Every configuration by name.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Every table by name.
    pub fn blobs(&self) -> impl Iterator<Item = (&'static str, &Blob)> {
        self.blobs.iter().map(|(name, blob)| (*name, blob))
    }
}

fn dtype(blob: &str) -> Dtype {
    if blob == BLOBS[1] {
        Dtype::U32
    } else {
        Dtype::U8
    }
}

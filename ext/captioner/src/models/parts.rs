use std::collections::BTreeMap;
use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::Compression;
use safetensors::Dtype;
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::kernels::Buffer;
use crate::text::{TextEncoder, Vocabulary};
use crate::weights::packed::Packed;
use crate::{Error, Result};

/// Names of the parts of a packed file that are bytes and no weights.
const BLOBS: [&str; 3] = ["vocabulary.bytes", "vocabulary.ends", TOKENIZER];
/// The tokenizer's JSON, deflated: rarely needed, and a third of its size.
const TOKENIZER: &str = "tokenizer.zlib";

/// What a model is made of beside its tensors: configurations as JSON by name, and tables. A checkpoint's folder is read into
/// this form, and a packed file keeps it, so that a model is built the same way from either.
#[derive(Default)]
pub struct Parts {
    texts: BTreeMap<String, String>,
    blobs: BTreeMap<&'static str, Blob>,
    /// As a folder has it.
    tokenizer: Option<Buffer>,
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
        Self { texts, blobs: BLOBS.into_iter().filter_map(blob).collect(), tokenizer: None }
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
        self.tokenizer = Some(Buffer::owned(json));
    }

    fn put_blob(&mut self, name: &'static str, bytes: Vec<u8>) {
        self.blobs.insert(name, Blob { dtype: dtype(name), bytes: Buffer::owned(bytes) });
    }

    /// Is there such a configuration?
    pub fn has(&self, name: &str) -> bool {
        self.texts.contains_key(name)
    }

    /// A configuration's text.
    ///
    /// # Errors
    /// `CorruptModel` if there is none.
    pub fn text(&self, name: &str) -> Result<&str> {
        let missing = || Error::CorruptModel(format!("a packed file has no {name}; it was not made by this version"));
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

    /// What encodes a caller's words. Nothing is unpacked or parsed yet.
    ///
    /// # Errors
    /// `CorruptModel` if there is no tokenizer.
    pub fn encoder(&self) -> Result<TextEncoder> {
        match &self.tokenizer {
            Some(json) => Ok(TextEncoder::new(json.clone())),
            None => Ok(TextEncoder::deflated(self.blob(TOKENIZER)?.clone())),
        }
    }

    fn blob(&self, name: &str) -> Result<&Buffer> {
        let missing = || Error::CorruptModel(format!("a packed file has no {name}; it was not made by this version"));
        self.blobs.get(name).map(|blob| &blob.bytes).ok_or_else(missing)
    }

    /// Every configuration by name.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Every table by name, as a packed file keeps it.
    ///
    /// # Errors
    /// `Internal` if the tokenizer cannot be deflated.
    pub fn blobs(&self) -> Result<Vec<(&'static str, Blob)>> {
        let mut blobs: Vec<(&'static str, Blob)> = self
            .blobs
            .iter()
            .map(|(name, Blob { dtype, bytes })| (*name, Blob { dtype: *dtype, bytes: bytes.clone() }))
            .collect();
        if let Some(json) = &self.tokenizer {
            let mut deflated = ZlibEncoder::new(Vec::new(), Compression::default());
            let written = deflated.write_all(json.as_slice()).and_then(|()| deflated.finish());
            let bytes = written.map_err(|error| Error::Internal(format!("the tokenizer: {error}")))?;
            blobs.push((TOKENIZER, Blob { dtype: dtype(TOKENIZER), bytes: Buffer::owned(bytes) }));
        }
        Ok(blobs)
    }
}

fn dtype(blob: &str) -> Dtype {
    if blob == BLOBS[1] {
        Dtype::U32
    } else {
        Dtype::U8
    }
}

//! The header of a packed file: names, places and checksums.

use std::collections::BTreeMap;
use std::ops::Range;

use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};
use serde_json::{json, Map, Value};
use sha2::{Digest, Sha256};

use super::{hex, VERSION};

/// Data starts at a multiple of this many bytes.
const ALIGNMENT: usize = 64;
/// The field of the header's own checksum, and its value while the checksum is taken.
const SUM: &str = "header_sha256";
const NO_SUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where a part lies in the data, and what it is.
#[derive(Debug, Clone)]
pub struct Entry {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub range: Range<usize>,
}

/// All that is known of a file before its data is read.
#[derive(Debug, Clone, Default)]
pub struct Header {
    pub entries: BTreeMap<String, Entry>,
    pub metadata: BTreeMap<String, String>,
    /// sha256 of every part, in hex.
    pub sums: BTreeMap<String, String>,
    /// The scheme of every matrix in 4-bit blocks.
    pub schemes: BTreeMap<String, String>,
}

/// Does a file with this header say that it is a packed model?
pub fn is_ours(metadata: &Metadata) -> bool {
    let strings = metadata.metadata().as_ref();
    strings.and_then(|strings| strings.get("format")).map(String::as_str) == Some("meme_captioner")
}

impl Header {
    /// The entry of a part.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Reads the header of a whole file; gives it and where the data starts, or what is wrong.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), String> {
        let (len, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| format!("is damaged ({error})"))?;
        if !is_ours(&metadata) {
            return Err("is no packed model".into());
        }
        let mut strings: BTreeMap<String, String> =
            metadata.metadata().clone().unwrap_or_default().into_iter().collect();
        match strings.get("version") {
            Some(version) if version == VERSION => {}
            other => return Err(format!("has version {other:?} of the format, not {VERSION}")),
        }
        let text = std::str::from_utf8(&bytes[8..8 + len]).map_err(|_| "has a header that is no text")?;
        let sum = strings.remove(SUM).ok_or("has no checksum of its header")?;
        if hex(&Sha256::digest(text.replacen(&sum, NO_SUM, 1).as_bytes())) != sum {
            return Err("has a damaged header".into());
        }
        let mut take = |key: &str| -> Result<BTreeMap<String, String>, String> {
            let text = strings.remove(key).ok_or(format!("has no {key}"))?;
            serde_json::from_str(&text).map_err(|error| format!("has damaged {key} ({error})"))
        };
        let (sums, schemes) = (take("sums")?, take("schemes")?);
        let entries = metadata.tensors().into_iter().map(|(name, info)| {
            let (start, end) = info.data_offsets;
            (name, Entry { dtype: info.dtype, shape: info.shape.clone(), range: start..end })
        });
        Ok((Self { entries: entries.collect(), metadata: strings, sums, schemes }, len + 8))
    }

    /// The header as it is written, with its length in front and its checksum inside.
    pub fn write(&self) -> Vec<u8> {
        let mut metadata: Map<String, Value> = self.metadata.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        metadata.insert("format".into(), json!("meme_captioner"));
        metadata.insert("version".into(), json!(VERSION));
        metadata.insert("sums".into(), json!(json!(self.sums).to_string()));
        metadata.insert("schemes".into(), json!(json!(self.schemes).to_string()));
        metadata.insert(SUM.into(), json!(NO_SUM));
        let mut all = Map::from_iter([("__metadata__".to_string(), Value::Object(metadata))]);
        for (name, entry) in &self.entries {
            let place = [entry.range.start, entry.range.end];
            all.insert(name.clone(), json!({"dtype": entry.dtype, "shape": entry.shape, "data_offsets": place}));
        }
        let mut text = Value::Object(all).to_string();
        let padding = (text.len() + 8).next_multiple_of(ALIGNMENT) - 8 - text.len();
        text.extend(std::iter::repeat_n(' ', padding));
        let sum = hex(&Sha256::digest(text.as_bytes()));
        let place = text.find(NO_SUM).expect("the field was just written");
        text.replace_range(place..place + NO_SUM.len(), &sum);
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.into_bytes());
        bytes
    }
}

//! Packed files with any contents, and the checksum that belongs to them.

use std::path::Path;

use serde_json::{json, Value};
use sha2::{Digest, Sha256};

/// A packed file's header as JSON, and its data.
pub fn open(path: &Path) -> (Value, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), bytes[8 + length..].to_vec())
}

/// The file of a header, whatever it says, and data: as it would be written, with the right checksum.
pub fn signed(header: &Value, data: &[u8]) -> Vec<u8> {
    let zeros = "0".repeat(64);
    let mut header = header.clone();
    if header["__metadata__"].is_object() {
        header["__metadata__"]["header_sha256"] = json!(zeros);
    }
    let mut text = header.to_string();
    text.extend(std::iter::repeat_n(' ', (text.len() + 8).next_multiple_of(64) - 8 - text.len()));
    let sum: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let text = text.replacen(&zeros, &sum, 1);
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), data].concat()
}

/// Changes one of the configurations inside a header.
pub fn change(header: &mut Value, part: &str, place: &str, value: Value) {
    let text = header["__metadata__"][part].as_str().unwrap();
    let mut json: Value = serde_json::from_str(text).unwrap();
    *json.pointer_mut(place).unwrap() = value;
    header["__metadata__"][part] = json!(json.to_string());
}

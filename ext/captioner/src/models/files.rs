//! Configuration files of a checkpoint's folder.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::{foreign, Error, Result};

/// What some editors put in front of a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A JSON file as `T`, with an error that names it.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    parse_json(path, &std::fs::read(path).map_err(|error| Error::reading(path, &error))?)
}

/// The same, of the contents of the file `path`.
pub fn parse_json<T: DeserializeOwned>(path: &Path, contents: &[u8]) -> Result<T> {
    let text = contents.strip_prefix(BYTE_ORDER_MARK).unwrap_or(contents);
    serde_json::from_slice(text).map_err(|error| {
        Error::CorruptModel(match foreign::disguise(contents) {
            Some(disguise) => format!("{} {disguise}", path.display()),
            None => format!("{}: {error}", path.display()),
        })
    })
}

/// The same, or nothing where there is no such file.
pub fn read_optional<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match read_json(path) {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

//! Configuration files of a checkpoint's folder.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// A JSON file as `T`, with an error that names it.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|error| Error::reading(path, &error))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::CorruptModel(format!("{}: {error}", path.display())))
}

/// The same, or nothing where there is no such file.
pub fn read_optional<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match read_json(path) {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

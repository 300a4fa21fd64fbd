//! Which files of a folder hold its weights.

use std::path::{Path, PathBuf};

use crate::{foreign, shards, Error, Result};

/// One file with all weights.
const SINGLE: &str = "model.safetensors";
/// The list of the files that hold them where they are several.
const INDEX: &str = "model.safetensors.index.json";

/// The weight files of a folder, in a fixed order.
///
/// # Errors
/// `UnsupportedModel` for a folder with weights in another form, `NotFound` for one without, `CorruptModel` for a damaged index.
pub fn weight_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let (single, index) = (dir.join(SINGLE), dir.join(INDEX));
    if single.exists() {
        return Ok(vec![single]);
    }
    if index.exists() {
        let text = std::fs::read(&index).map_err(|error| Error::reading(&index, &error))?;
        let names = shards::listed(&text).map_err(|what| Error::CorruptModel(format!("{} {what}", index.display())))?;
        return Ok(names.into_iter().map(|name| dir.join(name)).collect());
    }
    Err(foreign::in_folder(dir, SINGLE).map_or(Error::NotFound(single), Error::UnsupportedModel))
}

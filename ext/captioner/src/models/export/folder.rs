use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Error, Result};

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// A folder under a temporary name. Dropped before it is published, it is gone.
pub struct Folder<'a> {
    temporary: PathBuf,
    out: &'a Path,
}

impl<'a> Folder<'a> {
    /// Starts a folder that will be `out`.
    ///
    /// # Errors
    /// Those of [`Folder::failed`].
    pub fn create(out: &'a Path) -> Result<Self> {
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let temporary = out.with_file_name(format!(".{name}.{}.incomplete", std::process::id()));
        let folder = Self { temporary, out };
        std::fs::create_dir_all(&folder.temporary).map_err(|error| folder.failed(&error))?;
        Ok(folder)
    }

    /// Writes a JSON file. Errors as for [`Folder::create`].
    pub fn write(&self, name: &str, value: &Value) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Error::Internal(error.to_string()))?;
        std::fs::write(self.temporary.join(name), text + "\n").map_err(|error| self.failed(&error))
    }

    /// Writes bytes. Errors as for [`Folder::create`].
    pub fn write_bytes(&self, name: &str, bytes: &[u8]) -> Result<()> {
        std::fs::write(self.temporary.join(name), bytes).map_err(|error| self.failed(&error))
    }

    /// Copies what is small and not there yet: the files of tokenizer and processor. Errors as for [`Folder::create`].
    pub fn copy_rest(&self, source: &Path) -> Result<()> {
        for file in std::fs::read_dir(source).map_err(|error| Error::reading(source, &error))?.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let own = self.temporary.join(&name);
            let is_small = name.ends_with(".json") && name != INDEX || name == "merges.txt";
            if is_small && !own.exists() {
                std::fs::copy(file.path(), own).map_err(|error| self.failed(&error))?;
            }
        }
        Ok(())
    }

    /// Where the weights are written.
    pub fn weights(&self) -> PathBuf {
        self.temporary.join(WEIGHTS)
    }

    /// Gives the folder its name. Errors as for [`Folder::create`].
    pub fn publish(self) -> Result<()> {
        let publish = || {
            std::fs::File::open(self.weights())?.sync_all()?;
            std::fs::rename(&self.temporary, self.out)
        };
        publish().map_err(|error| self.failed(&error))
    }

    /// That something could not be written.
    pub fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        Error::ModelUnavailable(format!(
            "cannot write {}: {error}; free some space or choose another folder",
            self.out.display()
        ))
    }
}

impl Drop for Folder<'_> {
    fn drop(&mut self) {
        // Published, it has another name.
        let _ = std::fs::remove_dir_all(&self.temporary);
    }
}

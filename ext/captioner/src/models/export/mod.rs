//! Checkpoints for others: a folder that transformers loads with bitsandbytes.
//!
//! ```text
//! config.json              with a quantization_config
//! generation_config.json   the settings that captions are made with here
//! model.safetensors        linear layers as bitsandbytes stores them, everything else in floating point
//! *.json, merges.txt       the tokenizer and the processor, as the source folder has them
//! ```

pub(super) mod exported;
mod folder;
mod held;

use std::path::Path;

use super::packing::{self, family};
use super::Parts;
use crate::weights::packed::Packed;
use crate::weights::Source;
use crate::{Error, Result};

use folder::Folder;

pub use exported::Exported;
pub use held::Held;

/// Writes the model in `source` (a checkpoint folder or a packed file) to the folder `out`, which must not exist or be empty. It
/// appears whole or not at all.
///
/// # Errors
/// Those of loading the source, `UnsupportedModel` for what others' format cannot say, `InvalidArgument` for an `out` that is
/// taken, `ModelUnavailable` if it cannot be written.
pub fn export(source: &Path, out: &Path) -> Result<()> {
    if std::fs::read_dir(out).is_ok_and(|mut files| files.next().is_some()) || out.is_file() {
        return Err(Error::InvalidArgument(format!("{} exists already; choose another folder", out.display())));
    }
    let family = family(source)?;
    let export = family.export.ok_or_else(|| {
        Error::UnsupportedModel(format!("nobody else loads a quantized model of the family {}", family.name))
    })?;
    let (weights, parts): (Box<dyn Source>, Parts) = if source.is_file() {
        let packed = Packed::open(source, true)?;
        let parts = Parts::of(&packed);
        (Box::new(packed), parts)
    } else {
        let (_, checkpoint, parts) = packing::open(source, true)?;
        (Box::new(checkpoint), parts)
    };
    let Exported { files, tensors } = export(family, weights.as_ref(), &parts)?;
    let folder = Folder::create(out)?;
    for (name, value) in &files {
        folder.write(name, value)?;
    }
    match parts.encoder() {
        _ if source.is_dir() => folder.copy_rest(source)?,
        Ok(encoder) => folder.write_bytes("tokenizer.json", &encoder.json()?)?,
        // A family that keeps no tokenizer in a packed file.
        Err(_) => {}
    }
    let mut parts = Vec::new();
    for (name, tensor) in &tensors {
        tensor.parts(name, &mut parts)?;
    }
    let metadata = [("format".to_string(), "pt".to_string())].into();
    safetensors::serialize_to_file(parts, Some(metadata), &folder.weights()).map_err(|error| folder.failed(&error))?;
    folder.publish()
}

//! The packed file: a model quantized once, in one file that works alone.
//!
//! It is a safetensors file with canonical names. A 4-bit matrix is stored as parts, in the order of
//! bitsandbytes over the row-major `[out, in]` matrix, so that a row is a run of bytes for a kernel that takes dot products
//! and sixteen rows a simple transposition for one that works on panels:
//!
//! ```text
//! header   {"__metadata__": {...}, "name": {"dtype", "shape", "data_offsets"}, ...}   padded, so that data starts at 64 n
//! data     codes of every matrix      name            U8   two codes a byte, the even value in the high nibble
//!          8-bit scales               name.absmax     U8   one a block of 64 values
//!          magnitudes of scales       name.absmax2    F32  one for 256 scales; without double quantization absmax is F32
//!          mean of the scales         name.offset     F32  one a matrix
//!          int8 rows                  name            I8   with name.scale F16, one a row; F32 from a checkpoint in 8 bits
//!          everything else            name            F16  (or the checkpoint's own type)
//!          vocabulary                 vocabulary.bytes U8, vocabulary.ends U32: the text of every token id
//!
//!          one row of 64 values:  byte 0        byte 1              byte 31
//!                                 [c0   c1 ]    [c2   c3 ]    ...   [c62  c63]      value = code[c] * scale(block)
//! ```
//!
//! Metadata: the source and its identity, the recipe, the configuration, the prompts' token ids, and a sha256 of every
//! part and of the header (taken with its own field zeroed). Loading checks the header and the file's length, which takes
//! no time; [`Packed::check`] reads everything.

mod header;
mod recipe;
mod write;

use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::checkpoint::open_file;
use super::{flattened, Source};
use crate::kernels::{BlockScales, Buffer, Matrix, Storage};
use crate::quant::{dynamic, FloatType, Scheme};
use crate::{foreign, Error, Result};

pub use recipe::{Form, Part, Place, Recipe};
pub use write::{remove_leftovers, Contents, Writer};

use header::{is_ours, Header};

/// Version of the format. Files of another version are made anew.
pub const VERSION: &str = "1";

/// What packing makes of a checkpoint, by a number that is raised whenever the same checkpoint gives other contents. A packed file
/// that is given by its path is taken whatever it says.
pub const CONTENTS: (&str, &str) = ("contents", "2");

/// The metadata's entry that says which checkpoint a file was made from.
pub const IDENTITY: &str = "identity";
/// The metadata's entry with the recipe's name.
pub const RECIPE: &str = "recipe";
/// The metadata's entry with the recipe's rules: what a name stands for may change.
pub const RULES: &str = "rules";

/// An open packed file.
pub struct Packed {
    path: PathBuf,
    header: Header,
    data: Buffer,
    scale_map: Buffer,
}

impl Packed {
    /// Opens `path`, mapped or read.
    ///
    /// # Errors
    /// `NotFound`, or `CorruptModel` for a file that is damaged, foreign or of another version.
    pub fn open(path: &Path, map: bool) -> Result<Self> {
        let bytes = open_file(path, map)?;
        let (header, start) = Header::read(bytes.as_slice()).map_err(|what| mistaken(path, bytes.as_slice(), what))?;
        let scale_map = Buffer::owned(dynamic::map().iter().flat_map(|v| v.to_le_bytes()).collect());
        Ok(Self { path: path.to_path_buf(), header, data: bytes.slice(start..bytes.len()), scale_map })
    }

    /// An entry of the metadata.
    ///
    /// # Errors
    /// `CorruptModel` if there is none.
    pub fn metadata(&self, key: &str) -> Result<&str> {
        self.header.metadata.get(key).map(String::as_str).ok_or_else(|| self.corrupt(format!("has no {key}")))
    }

    /// Every entry of the metadata.
    pub fn all_metadata(&self) -> &std::collections::BTreeMap<String, String> {
        &self.header.metadata
    }

    /// The bytes of a part.
    ///
    /// # Errors
    /// `CorruptModel` if there is none.
    pub fn part(&self, name: &str) -> Result<Buffer> {
        let entry = self.header.entry(name).ok_or_else(|| self.corrupt(format!("has no part {name}")))?;
        Ok(self.data.slice(entry.range.clone()))
    }

    /// Reads every part and compares its checksum.
    ///
    /// # Errors
    /// `CorruptModel` naming the first part that is not what was written.
    pub fn check(&self) -> Result<()> {
        for (name, entry) in &self.header.entries {
            let part = self.data.slice(entry.range.clone());
            let hash = hex(&Sha256::digest(part.as_slice()));
            part.release_pages();
            if self.header.sums.get(name) != Some(&hash) {
                return Err(self.corrupt(format!("part {name} is not what was written")));
            }
        }
        Ok(())
    }

    fn corrupt(&self, what: String) -> Error {
        Error::CorruptModel(format!("{} {what}; {}", self.path.display(), remedy(&self.path)))
    }

    /// Fails where a tensor was written in another shape than `matrix`'s. Blocks are written as a run of codes.
    fn check_shape(&self, name: &str, shape: &[usize], matrix: &Matrix) -> Result<()> {
        let codes = matrix.blocks().map(|blocks| [blocks.codes().len()]);
        let wanted = codes.as_ref().map_or(shape, |codes| codes);
        match self.header.entry(name) {
            Some(entry) if entry.shape != wanted => {
                let found = &entry.shape;
                Err(self.corrupt(format!("has {name} in the shape {found:?}, its configuration asks for {wanted:?}")))
            }
            _ => Ok(()),
        }
    }

    fn storage(&self, name: &str) -> Result<Storage> {
        let entry = self.header.entry(name).ok_or_else(|| self.corrupt(format!("has no tensor {name}")))?;
        let values = self.data.slice(entry.range.clone());
        if let Some(scheme) = self.header.schemes.get(name) {
            let scheme: Scheme = recipe::parse_scheme(scheme)?;
            let absmax = self.part(&format!("{name}.absmax"))?;
            let scales = if scheme.double_quant() {
                let offset = self.part(&format!("{name}.offset"))?;
                let offset: [u8; 4] =
                    offset.as_slice().try_into().map_err(|_| self.corrupt(format!("{name}.offset")))?;
                let map = self.part(&format!("{name}.map")).unwrap_or_else(|_| self.scale_map.clone());
                let absmax2 = self.part(&format!("{name}.absmax2"))?;
                BlockScales::Double { q: absmax, absmax2, offset: f32::from_le_bytes(offset), map }
            } else {
                BlockScales::Plain(FloatType::F32, absmax)
            };
            return Ok(Storage::Blocks { scheme, codes: values, scales });
        }
        match entry.dtype {
            Dtype::F32 => Ok(Storage::Float(FloatType::F32, values)),
            Dtype::F16 => Ok(Storage::Float(FloatType::F16, values)),
            Dtype::BF16 => Ok(Storage::Float(FloatType::Bf16, values)),
            Dtype::I8 => {
                let name = format!("{name}.scale");
                let kind = match self.header.entry(&name).map(|entry| entry.dtype) {
                    Some(Dtype::F32) => FloatType::F32,
                    _ => FloatType::F16,
                };
                Ok(Storage::Int8 { codes: values, scales: (kind, self.part(&name)?) })
            }
            other => Err(self.corrupt(format!("holds {name} as {other:?}"))),
        }
    }
}

impl Source for Packed {
    fn contains(&self, name: &str) -> bool {
        self.header.entry(name).is_some()
    }

    fn matrix(&self, name: &str, shape: &[usize]) -> Result<Matrix> {
        let (rows, cols) = flattened(shape)?;
        let matrix = Matrix::new(rows, cols, self.storage(name)?)
            .map_err(|error| self.corrupt(format!("tensor {name}: {error}")))?;
        self.check_shape(name, shape, &matrix)?;
        Ok(matrix)
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        Ok(self.matrix(name, shape)?.to_vec())
    }

    fn buffers(&self) -> Vec<Buffer> {
        vec![self.data.clone()]
    }
}

/// What is wrong with a file that is no packed one: often it is some other file of a model.
fn mistaken(path: &Path, bytes: &[u8], what: String) -> Error {
    let (place, name) = (path.display(), path.file_name().unwrap_or_default().to_string_lossy());
    if let Some(disguise) = foreign::disguise(bytes) {
        return Error::CorruptModel(format!("{place} {disguise}"));
    }
    let is_weights = matches!(SafeTensors::read_metadata(bytes), Ok((_, metadata)) if !is_ours(&metadata));
    if is_weights || name.ends_with(".json") {
        return Error::UnsupportedModel(format!(
            "{place} is one file of a model; give the folder with its config.json, tokenizer.json and weights"
        ));
    }
    match foreign::advice(&place.to_string(), &name).filter(|_| !name.ends_with(".safetensors")) {
        Some(advice) => Error::UnsupportedModel(advice),
        None => Error::CorruptModel(format!("{place}: {what}; {}", remedy(path))),
    }
}

/// What to do about a damaged file. Beside one that was made here lies the lock of its making.
fn remedy(path: &Path) -> &'static str {
    if path.with_extension("lock").exists() {
        return "delete it to have it made anew";
    }
    "copy it again from where it was packed, or register the checkpoint that it was made from"
}

/// Bytes in hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

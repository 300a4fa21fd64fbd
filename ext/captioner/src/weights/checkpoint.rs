//! A checkpoint folder: one `model.safetensors`, or the shards that `model.safetensors.index.json` lists.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::Mmap;
use safetensors::tensor::{TensorInfo, TensorView};
use safetensors::{Dtype, SafeTensors};

use super::folder::weight_files;
use super::{bitsandbytes, flattened, Canonical, Names, Source};
use crate::kernels::{BlockScales, Buffer, Matrix, Storage};
use crate::quant::{FloatType, Floats, ScalesRef};
use crate::{foreign, Error, Result};

/// The tensors of a checkpoint, mapped from its files (or read into memory, for volumes where somebody may truncate a
/// file while it is in use).
pub struct Checkpoint {
    tensors: HashMap<String, Entry>,
    names: Box<dyn Names>,
    /// Names of the tensors that were asked for, as the files have them.
    asked: Mutex<HashSet<String>>,
}

struct Entry {
    file: Arc<PathBuf>,
    bytes: Buffer,
    info: TensorInfo,
}

impl Checkpoint {
    /// Opens the weights in `dir`, under their own names.
    ///
    /// # Errors
    /// `UnsupportedModel` for a folder with only pickled weights, `NotFound` for a missing file, `CorruptModel` for a damaged
    /// one.
    pub fn open(dir: &Path, map: bool) -> Result<Self> {
        let mut tensors = HashMap::new();
        for path in weight_files(dir)? {
            let bytes = open_file(&path, map)?;
            let (header, metadata) = SafeTensors::read_metadata(bytes.as_slice()).map_err(|error| {
                Error::CorruptModel(match foreign::disguise(bytes.as_slice()) {
                    Some(disguise) => format!("{} {disguise}", path.display()),
                    None => {
                        let (path, remedy) = (path.display(), foreign::remedy(&path));
                        format!("{path} is not a complete safetensors file ({error}); {remedy}")
                    }
                })
            })?;
            let file = Arc::new(path.clone());
            for (name, info) in metadata.tensors() {
                let (start, end) = info.data_offsets;
                let bytes = bytes.slice(header + 8 + start..header + 8 + end);
                tensors.insert(name, Entry { file: file.clone(), bytes, info: info.clone() });
            }
        }
        Ok(Self { tensors, names: Box::new(Canonical), asked: Mutex::default() })
    }

    /// The same weights, asked for by the canonical names that `names` translates.
    pub fn named(self, names: Box<dyn Names>) -> Self {
        Self { names, ..self }
    }

    /// The names of all tensors as the files have them, sorted.
    pub fn tensors(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.tensors.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Are all tensors in use that `is_spare` does not let go unused? Asked after a model has been built.
    ///
    /// # Errors
    /// `CorruptModel` with the name of one that no model asked for: another configuration's weights.
    pub fn check_use(&self, is_spare: impl Fn(&str) -> bool) -> Result<()> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_kept = |name: &str| asked.contains(name) || is_spare(name);
        let is_used = |name: &str| is_kept(name) || bitsandbytes::owner(name, is_kept);
        let unused: Vec<&str> = self.tensors().into_iter().filter(|name| !is_used(name)).collect();
        let Some(name) = unused.first() else { return Ok(()) };
        let (file, others) = (self.tensors[*name].file.display(), unused.len() - 1);
        let subject = if others == 0 {
            format!("tensor {name} in {file} belongs")
        } else {
            format!("tensor {name} and {others} more in {file} belong")
        };
        Err(Error::CorruptModel(format!(
            "{subject} to no part of the model that config.json describes; the weights and \
             config.json do not belong together"
        )))
    }

    /// Does it have weights in 4 or 8 bits as bitsandbytes stores them?
    pub fn is_quantized(&self) -> bool {
        self.tensors.keys().any(|name| bitsandbytes::is_state(name) || name.ends_with(bitsandbytes::ROW_SCALES))
    }

    /// The entry of a canonical name, and the name it has here.
    fn entry(&self, name: &str) -> Result<(&Entry, String)> {
        let own = self.names.stored(name).into_owned();
        match self.tensors.get(&own) {
            Some(entry) => {
                self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(own.clone());
                Ok((entry, own))
            }
            None => Err(Error::CorruptModel(format!(
                "tensor {own} is missing from {}; the weights and config.json do not belong together",
                self.tensors.values().next().map_or_else(String::new, |e| e.file.display().to_string())
            ))),
        }
    }

    /// A 4-bit weight as transformers and bitsandbytes save it, if `name` (in the file's own layout) is one.
    fn blocks(&self, own: &str, shape: &[usize]) -> Result<Option<Matrix>> {
        if bitsandbytes::codebook(own, |name| self.tensors.contains_key(name)).is_none() {
            return Ok(None);
        }
        let entry = &self.tensors[own];
        let weight = bitsandbytes::read(&entry.file, own, |name| {
            let entry = self.tensors.get(name)?;
            TensorView::new(entry.info.dtype, entry.info.shape.clone(), entry.bytes.as_slice()).ok()
        })?;
        if weight.shape != shape {
            return Err(self.shape_error(entry, own, &weight.shape, shape));
        }
        let part = |part: &str| self.tensors[&format!("{own}.{part}")].bytes.clone();
        let scales = match weight.values.scales() {
            ScalesRef::Double { offset, map, .. } => BlockScales::Double {
                q: part("absmax"),
                absmax2: part("nested_absmax"),
                offset,
                map: Buffer::owned(map.to_vec().iter().flat_map(|v| v.to_le_bytes()).collect()),
            },
            ScalesRef::Plain(scales) => {
                let kind = if let Floats::Bytes(kind, _) = scales { kind } else { FloatType::F32 };
                BlockScales::Plain(kind, part("absmax"))
            }
        };
        let storage = Storage::Blocks { scheme: weight.values.scheme(), codes: entry.bytes.clone(), scales };
        matrix(own, entry, shape, storage).map(Some)
    }

    /// An 8-bit weight as transformers and bitsandbytes save it: codes, and a scale for each row beside them.
    fn rows(&self, entry: &Entry, own: &str, shape: &[usize]) -> Result<Matrix> {
        let name = bitsandbytes::row_scales(own);
        let scales = self.tensors.get(&name).filter(|scales| scales.info.dtype == Dtype::F32).ok_or_else(|| {
            let file = entry.file.display();
            Error::CorruptModel(format!("tensor {own} in {file} is int8, but {name} has no f32 scales; fetch it again"))
        })?;
        if scales.info.shape != shape[..1] {
            return Err(self.shape_error(scales, &name, &scales.info.shape, &shape[..1]));
        }
        let values = Floats::Bytes(FloatType::F32, scales.bytes.as_slice());
        if let Some(row) = (0..values.len()).find(|row| !values.get(*row).is_finite()) {
            let what = format!("tensor {name} in {} holds {} at {row}", scales.file.display(), values.get(row));
            return Err(Error::CorruptModel(what));
        }
        let scales = (FloatType::F32, scales.bytes.clone());
        matrix(own, entry, shape, Storage::Int8 { codes: entry.bytes.clone(), scales })
    }

    fn shape_error(&self, entry: &Entry, own: &str, found: &[usize], wanted: &[usize]) -> Error {
        Error::CorruptModel(format!(
            "tensor {own} in {} has shape {found:?}, config.json asks for {wanted:?}",
            entry.file.display()
        ))
    }
}

impl Source for Checkpoint {
    fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(self.names.stored(name).as_ref())
    }

    fn matrix(&self, name: &str, shape: &[usize]) -> Result<Matrix> {
        if self.names.is_transposed(name) {
            let stored: Vec<usize> = shape.iter().rev().copied().collect();
            return Ok(self.stored(name, &stored)?.transposed());
        }
        self.stored(name, shape)
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        Ok(self.matrix(name, shape)?.to_vec())
    }

    fn buffers(&self) -> Vec<Buffer> {
        self.tensors.values().map(|entry| entry.bytes.clone()).collect()
    }
}

impl Checkpoint {
    /// A matrix in the shape that the file has it in.
    fn stored(&self, name: &str, shape: &[usize]) -> Result<Matrix> {
        let (entry, own) = self.entry(name)?;
        if let Some(blocks) = self.blocks(&own, shape)? {
            return Ok(blocks);
        }
        if entry.info.shape != shape {
            return Err(self.shape_error(entry, &own, &entry.info.shape, shape));
        }
        let kind = match entry.info.dtype {
            Dtype::F32 => FloatType::F32,
            Dtype::F16 => FloatType::F16,
            Dtype::BF16 => FloatType::Bf16,
            Dtype::I8 => return self.rows(entry, &own, shape),
            other => {
                return Err(Error::CorruptModel(format!(
                "tensor {own} in {} has dtype {other:?}; f32, f16, bf16 and bitsandbytes' 4 and 8 bits are understood",
                entry.file.display()
            )))
            }
        };
        matrix(&own, entry, shape, Storage::Float(kind, entry.bytes.clone()))
    }
}

fn matrix(own: &str, entry: &Entry, shape: &[usize], storage: Storage) -> Result<Matrix> {
    flattened(shape)
        .and_then(|(rows, cols)| Matrix::new(rows, cols, storage))
        .map_err(|error| Error::CorruptModel(format!("tensor {own} in {}: {error}", entry.file.display())))
}

/// A file's bytes, mapped or read.
pub(super) fn open_file(path: &Path, map: bool) -> Result<Buffer> {
    let reading = |error| Error::reading(path, &error);
    if !map {
        return Ok(Buffer::owned(std::fs::read(path).map_err(reading)?));
    }
    let file = File::open(path).map_err(reading)?;
    if file.metadata().map_err(reading)?.len() == 0 {
        return Err(Error::CorruptModel(format!("{} is empty; {}", path.display(), foreign::remedy(path))));
    }
    // SAFETY: a mapped file must not be truncated while it is in use. Downloads are renamed into place and never
    // rewritten; for other volumes there is `map = false`.
    Ok(Buffer::mapped(unsafe { Mmap::map(&file) }.map_err(reading)?))
}

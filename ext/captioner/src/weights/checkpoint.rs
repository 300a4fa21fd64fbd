//! A checkpoint folder: one `model.safetensors`, or the shards that `model.safetensors.index.json` lists.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use safetensors::{tensor::TensorInfo, Dtype, SafeTensors};

use super::{Layout, Source};
use crate::kernels::{Buffer, Matrix, Storage};
use crate::{Error, Result};

/// How a file's bytes are held: mapped, or read.
type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// The tensors of a checkpoint, mapped from its files (or read into memory, for volumes where somebody may truncate a
/// file while it is in use).
pub struct Checkpoint {
    tensors: HashMap<String, Entry>,
    layout: Layout,
}

struct Entry {
    file: Arc<PathBuf>,
    bytes: Bytes,
    data: usize,
    info: TensorInfo,
}

impl Checkpoint {
    /// Opens the weights in `dir`.
    ///
    /// # Errors
    /// `UnsupportedModel` for a folder with only pickled weights or with another family's names, `NotFound` for a missing
    /// file, `CorruptModel` for a damaged one.
    pub fn open(dir: &Path, map: bool) -> Result<Self> {
        let mut tensors = HashMap::new();
        for path in weight_files(dir)? {
            let bytes = open(&path, map)?;
            let damaged = |error| {
                Error::CorruptModel(format!(
                    "{} is not a complete safetensors file ({error}); delete it and fetch it again",
                    path.display()
                ))
            };
            let (header, metadata) = SafeTensors::read_metadata((*bytes).as_ref()).map_err(damaged)?;
            let file = Arc::new(path.clone());
            for (name, info) in metadata.tensors() {
                let entry = Entry { file: file.clone(), bytes: bytes.clone(), data: header + 8, info: info.clone() };
                tensors.insert(name, entry);
            }
        }
        let layout = Layout::detect(tensors.keys().map(String::as_str)).ok_or_else(|| {
            Error::UnsupportedModel(format!("the weights in {} are not those of a Florence-2 model", dir.display()))
        })?;
        Ok(Self { tensors, layout })
    }

    /// Bytes of all tensors.
    pub fn bytes(&self) -> usize {
        self.tensors.values().map(|entry| entry.info.data_offsets.1 - entry.info.data_offsets.0).sum()
    }

    /// The entry of a name in Microsoft's layout, and the name it has here.
    fn entry(&self, name: &str) -> Result<(&Entry, String)> {
        let own = self.layout.name(name);
        match self.tensors.get(&own) {
            Some(entry) => Ok((entry, own)),
            None => Err(Error::CorruptModel(format!(
                "tensor {own} is missing from {}; the weights and config.json do not belong together",
                self.tensors.values().next().map_or_else(String::new, |e| e.file.display().to_string())
            ))),
        }
    }

    fn checked(&self, name: &str, shape: &[usize]) -> Result<(Buffer, Dtype)> {
        let (entry, own) = self.entry(name)?;
        if entry.info.shape != shape {
            return Err(Error::CorruptModel(format!(
                "tensor {own} in {} has shape {:?}, config.json asks for {shape:?}",
                entry.file.display(),
                entry.info.shape
            )));
        }
        if !matches!(entry.info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            return Err(Error::CorruptModel(format!(
                "tensor {own} in {} has dtype {:?}; f32, f16 and bf16 are understood",
                entry.file.display(),
                entry.info.dtype
            )));
        }
        let (start, end) = entry.info.data_offsets;
        Ok((Buffer::new(entry.bytes.clone(), entry.data + start..entry.data + end), entry.info.dtype))
    }
}

impl Source for Checkpoint {
    fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(&self.layout.name(name))
    }

    fn matrix(&self, name: &str, shape: &[usize]) -> Result<Matrix> {
        let (buffer, dtype) = self.checked(name, shape)?;
        let storage = match dtype {
            Dtype::F32 => Storage::F32(buffer),
            Dtype::F16 => Storage::F16(buffer),
            _ => Storage::Bf16(buffer),
        };
        Ok(Matrix::new(shape[0], shape[1..].iter().product(), storage))
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let matrix = self.matrix(name, shape)?;
        let mut values = vec![0.0; matrix.rows() * matrix.cols()];
        matrix.dequantize_rows(0..matrix.rows(), &mut values);
        Ok(values)
    }

    fn layout(&self) -> Layout {
        self.layout
    }
}

fn open(path: &Path, map: bool) -> Result<Bytes> {
    let reading = |error| Error::reading(path, &error);
    if !map {
        return Ok(Arc::new(std::fs::read(path).map_err(reading)?));
    }
    let file = File::open(path).map_err(reading)?;
    if file.metadata().map_err(reading)?.len() == 0 {
        return Err(Error::CorruptModel(format!("{} is empty; delete it and fetch it again", path.display())));
    }
    // SAFETY: a mapped file must not be truncated while it is in use. Downloads are renamed into place and never
    // rewritten; for other volumes there is `map = false`.
    Ok(Arc::new(unsafe { Mmap::map(&file) }.map_err(reading)?))
}

/// The weight files of a folder, in a fixed order.
fn weight_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let single = dir.join("model.safetensors");
    let index = dir.join("model.safetensors.index.json");
    if single.exists() {
        return Ok(vec![single]);
    }
    if index.exists() {
        let text = std::fs::read(&index).map_err(|error| Error::reading(&index, &error))?;
        let damaged = |what: String| Error::CorruptModel(format!("{}: {what}", index.display()));
        let json: serde_json::Value = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        let map = json["weight_map"].as_object().ok_or_else(|| damaged("has no weight_map".into()))?;
        let names: BTreeSet<&str> = map.values().filter_map(serde_json::Value::as_str).collect();
        if let Some(name) = names.iter().find(|name| name.contains(['/', '\\'])) {
            return Err(damaged(format!("names a file outside its folder: {name}")));
        }
        return Ok(names.into_iter().map(|name| dir.join(name)).collect());
    }
    if dir.join("pytorch_model.bin").exists() {
        return Err(Error::UnsupportedModel(format!(
            "{} holds pytorch_model.bin, a pickle, which can run code when it is read. Convert it once in Python: \
             safetensors.torch.save_file(torch.load(\"pytorch_model.bin\", weights_only=True), \"model.safetensors\"), \
             or use a revision that has model.safetensors",
            dir.display()
        )));
    }
    Err(Error::NotFound(single))
}

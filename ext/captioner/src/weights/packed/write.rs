//! Writing a packed file: quantized matrix by matrix, under a temporary name until it is whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use sha2::{Digest, Sha256};

use super::header::{Entry, Header};
use super::recipe::format_scheme;
use super::{hex, Form};
use crate::kernels::{BlockScales, Matrix, Storage};
use crate::quant::{dynamic, quantize_rows, quantize_with, FloatType, Numbers, RowScale, Scales, Scheme};
use crate::runtime::ThreadPool;
use crate::{Error, Result};

/// What a file will hold. Everything but the values is fixed before the first is written.
#[derive(Default)]
pub struct Contents {
    header: Header,
    /// Parts in order of declaration; the data is in order of [`Class`] first.
    parts: Vec<(String, Class, Entry)>,
}

/// Codes come first, where they are aligned; then numbers by their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Codes,
    Wide,
    Half,
    Bytes,
}

impl Contents {
    /// An entry of the metadata.
    pub fn describe(&mut self, key: &str, value: impl Into<String>) {
        self.header.metadata.insert(key.into(), value.into());
    }

    /// Bytes that are no weights.
    pub fn declare(&mut self, name: &str, dtype: Dtype, shape: &[usize]) {
        let class = match dtype.bitsize() {
            32.. => Class::Wide,
            16 => Class::Half,
            _ => Class::Bytes,
        };
        self.part(name.into(), class, dtype, shape);
    }

    /// A tensor that will be written in `form`; `kept` is how the checkpoint stores it.
    pub fn declare_tensor(&mut self, name: &str, shape: &[usize], form: Form, kept: &Storage) {
        match (form, kept) {
            (_, Storage::Blocks { scheme, scales, .. }) => self.declare_blocks(name, shape, *scheme, own_map(scales)),
            (_, Storage::Int8 { scales, .. }) => self.declare_rows(name, shape, scales.0),
            (Form::Blocks(scheme, _), _) => self.declare_blocks(name, shape, scheme, false),
            (Form::Int8, _) => self.declare_rows(name, shape, FloatType::F16),
            (Form::Kept, Storage::Float(kind, _)) => self.declare(name, dtype(*kind), shape),
        }
    }

    fn declare_rows(&mut self, name: &str, shape: &[usize], scales: FloatType) {
        self.part(name.into(), Class::Codes, Dtype::I8, shape);
        self.declare(&format!("{name}.scale"), dtype(scales), &shape[..1]);
    }

    fn declare_blocks(&mut self, name: &str, shape: &[usize], scheme: Scheme, own_map: bool) {
        let len = shape.iter().product();
        let blocks = scheme.blocks(len);
        self.header.schemes.insert(name.into(), format_scheme(scheme));
        self.part(name.into(), Class::Codes, Dtype::U8, &[scheme.code_bytes(len)]);
        if scheme.double_quant() {
            self.part(format!("{name}.absmax"), Class::Bytes, Dtype::U8, &[blocks]);
            let nested = blocks.div_ceil(crate::quant::NESTED_BLOCKSIZE);
            self.part(format!("{name}.absmax2"), Class::Wide, Dtype::F32, &[nested]);
            self.part(format!("{name}.offset"), Class::Wide, Dtype::F32, &[1]);
        } else {
            self.part(format!("{name}.absmax"), Class::Wide, Dtype::F32, &[blocks]);
        }
        if own_map {
            self.part(format!("{name}.map"), Class::Wide, Dtype::F32, &[256]);
        }
    }

    fn part(&mut self, name: String, class: Class, dtype: Dtype, shape: &[usize]) {
        self.parts.push((name, class, Entry { dtype, shape: shape.to_vec(), range: 0..0 }));
    }
}

/// Does the matrix use a table of scales that is not the usual one?
fn own_map(scales: &BlockScales) -> bool {
    let usual = || dynamic::map().iter().flat_map(|v| v.to_le_bytes());
    matches!(scales, BlockScales::Double { map, .. } if !map.as_slice().iter().copied().eq(usual()))
}

fn dtype(kind: FloatType) -> Dtype {
    match kind {
        FloatType::F32 => Dtype::F32,
        FloatType::F16 => Dtype::F16,
        FloatType::Bf16 => Dtype::BF16,
    }
}

/// A file in the making. Dropped before [`Writer::finish`], it is gone.
pub struct Writer<'a> {
    pool: &'a ThreadPool,
    file: File,
    header: Header,
    data: u64,
    temporary: PathBuf,
    path: PathBuf,
    done: bool,
}

impl<'a> Writer<'a> {
    /// Starts the file that will be `path`; tensors are quantized on `pool`.
    ///
    /// # Errors
    /// `ModelUnavailable` if the disk is full or the folder cannot be written.
    pub fn create(path: &Path, contents: Contents, pool: &'a ThreadPool) -> Result<Self> {
        let Contents { mut header, mut parts } = contents;
        parts.sort_by_key(|(_, class, _)| *class);
        let mut end = 0;
        for (name, _, mut entry) in parts {
            let bits = entry.shape.iter().product::<usize>() * entry.dtype.bitsize();
            entry.range = end..end + bits / 8;
            end = entry.range.end;
            // As long as the checksum that will replace it.
            header.sums.insert(name.clone(), "0".repeat(64));
            header.entries.insert(name, entry);
        }
        let temporary = temporary_name(path);
        let open = || {
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            OpenOptions::new().write(true).create_new(true).open(&temporary)
        };
        let file = open().map_err(|error| failed(path, &error))?;
        let start = header.write();
        let mut writer =
            Self { pool, file, header, data: start.len() as u64, temporary, path: path.to_path_buf(), done: false };
        writer.put(0, &start)?;
        let length = writer.data + end as u64;
        writer.file.set_len(length).map_err(|error| failed(path, &error))?;
        Ok(writer)
    }

    /// Writes a declared part.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let entry = self.header.entry(name).ok_or_else(|| Error::Internal(format!("part {name} was not declared")))?;
        if entry.range.len() != bytes.len() {
            return Err(Error::Internal(format!("part {name} has {} bytes, not {}", bytes.len(), entry.range.len())));
        }
        let at = self.data + entry.range.start as u64;
        self.header.sums.insert(name.into(), hex(&Sha256::digest(bytes)));
        self.put(at, bytes)
    }

    /// Quantizes and writes a declared tensor.
    ///
    /// # Errors
    /// `CorruptModel` naming the tensor, if a value is not finite.
    pub fn write_tensor(&mut self, name: &str, form: Form, matrix: &Matrix) -> Result<()> {
        let named = |error: Error| Error::CorruptModel(format!("tensor {name}: {error}"));
        match (form, matrix.storage()) {
            (_, Storage::Blocks { codes, scales, .. }) => {
                self.write(name, codes.as_slice())?;
                match scales {
                    BlockScales::Plain(..) => {
                        let blocks = quantized_scales(matrix)?;
                        self.write(&format!("{name}.absmax"), &floats(&blocks))
                    }
                    BlockScales::Double { q, absmax2, offset, map } => {
                        self.write(&format!("{name}.absmax"), q.as_slice())?;
                        self.write(&format!("{name}.absmax2"), absmax2.as_slice())?;
                        if own_map(scales) {
                            self.write(&format!("{name}.map"), map.as_slice())?;
                        }
                        self.write(&format!("{name}.offset"), &offset.to_le_bytes())
                    }
                }
            }
            (_, Storage::Int8 { codes, scales }) => {
                self.write(name, codes.as_slice())?;
                self.write(&format!("{name}.scale"), scales.1.as_slice())
            }
            (Form::Blocks(scheme, fit), Storage::Float(kind, values)) => {
                let source = Numbers::Bytes(*kind, values.as_slice());
                let quantized = self.pool.install(|| quantize_with(source, scheme, fit)).map_err(named)?;
                self.write(name, quantized.codes())?;
                match quantized.scales() {
                    Scales::Plain(scales) => self.write(&format!("{name}.absmax"), &floats(scales)),
                    Scales::Double { q, absmax2, offset } => {
                        self.write(&format!("{name}.absmax"), q)?;
                        self.write(&format!("{name}.absmax2"), &floats(absmax2))?;
                        self.write(&format!("{name}.offset"), &offset.to_le_bytes())
                    }
                }
            }
            (Form::Int8, Storage::Float(kind, values)) => {
                let source = Numbers::Bytes(*kind, values.as_slice());
                let rows = self.pool.install(|| quantize_rows(source, matrix.rows(), RowScale::F16)).map_err(named)?;
                let scales = (0..matrix.rows()).map(|row| half::f16::from_f32(rows.view().scale(row)));
                let scales: Vec<u8> = scales.flat_map(half::f16::to_le_bytes).collect();
                self.write(name, rows.view().code_bytes())?;
                self.write(&format!("{name}.scale"), &scales)
            }
            (Form::Kept, Storage::Float(_, values)) => self.write(name, values.as_slice()),
        }
    }

    /// Makes the file whole, read-only and known by its name.
    pub fn finish(mut self) -> Result<()> {
        let start = self.header.write();
        if start.len() as u64 != self.data {
            return Err(Error::Internal("the header changed its length".into()));
        }
        self.put(0, &start)?;
        let publish = || {
            let mut permissions = self.file.metadata()?.permissions();
            permissions.set_readonly(true);
            self.file.set_permissions(permissions)?;
            self.file.sync_all()?;
            std::fs::rename(&self.temporary, &self.path)
        };
        publish().map_err(|error| failed(&self.path, &error))?;
        self.done = true;
        Ok(())
    }

    fn put(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        let mut put = || {
            self.file.seek(SeekFrom::Start(at))?;
            self.file.write_all(bytes)
        };
        put().map_err(|error| failed(&self.path, &error))
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// Removes what processes that were killed while writing `path` left behind. Only the one that holds the lock may.
pub fn remove_leftovers(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else { return };
    let prefix = format!(".{name}.");
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if file.file_name().to_str().is_some_and(|other| other.starts_with(&prefix) && other.ends_with(".incomplete")) {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

/// A name of this writer's own: where there are no locks, others write too, also with this process id in another container.
fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.incomplete", crate::random::hex()))
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::ModelUnavailable(format!(
        "cannot write the packed model {}: {error}; free some space, or set cache_dir (MEME_CAPTIONER_CACHE_DIR) to \
         a folder with room that this user may write to",
        path.display()
    ))
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The scales of a matrix in blocks without double quantization, as `f32`.
fn quantized_scales(matrix: &Matrix) -> Result<Vec<f32>> {
    let blocks = matrix.blocks()?;
    Ok((0..blocks.scheme().blocks(blocks.len())).map(|block| blocks.scale(block)).collect())
}

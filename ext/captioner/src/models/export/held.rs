use safetensors::Dtype;

use crate::kernels::{Matrix, Storage};
use crate::quant::{quantize, quantize_rows, FloatType, Floats, Numbers, Quantized, RowScale, Scheme};
use crate::weights::bitsandbytes::{row_format, row_scales, write, Part, Weight};
use crate::{Error, Result};

/// A tensor on its way out.
pub enum Held {
    /// 4-bit already.
    Kept(Matrix, Vec<usize>),
    Quantized(Quantized, Vec<usize>),
    /// f16 as it is.
    Half(Matrix, Vec<usize>),
    Bytes(Vec<u8>, Vec<usize>),
    /// As it is, in its own floating point.
    Float(Matrix, Vec<usize>),
    /// int8, and the largest magnitude of each row.
    Rows {
        codes: Vec<u8>,
        scales: Vec<u8>,
        shape: Vec<usize>,
    },
}

impl Held {
    /// A linear layer in NF4; one that is in 4 bits already stays as it is.
    ///
    /// # Errors
    /// `CorruptModel` for values that cannot be quantized.
    pub fn linear(name: &str, matrix: Matrix, shape: Vec<usize>) -> Result<Self> {
        let quantized = match matrix.storage() {
            Storage::Blocks { .. } => return Ok(Held::Kept(matrix, shape)),
            Storage::Float(kind, values) => quantize(Numbers::Bytes(*kind, values.as_slice()), Scheme::NF4),
            Storage::Int8 { .. } => quantize(&matrix.to_vec(), Scheme::NF4),
        };
        let named = |error| Error::CorruptModel(format!("tensor {name}: {error}"));
        Ok(Held::Quantized(quantized.map_err(named)?, shape))
    }

    /// A linear layer in int8 rows; one that is in int8 already stays as it is.
    ///
    /// # Errors
    /// As for [`Held::linear`].
    pub fn rows(name: &str, matrix: &Matrix, shape: Vec<usize>) -> Result<Self> {
        let bytes = |scales: &mut dyn Iterator<Item = f32>| scales.flat_map(f32::to_le_bytes).collect();
        let named = |error| Error::CorruptModel(format!("tensor {name}: {error}"));
        let rows = match matrix.storage() {
            Storage::Int8 { codes, scales: (kind, scales) } => {
                let values = Floats::Bytes(*kind, scales.as_slice());
                let scales = bytes(&mut (0..values.len()).map(|row| values.get(row)));
                return Ok(Held::Rows { codes: codes.as_slice().to_vec(), scales, shape });
            }
            Storage::Float(kind, values) => {
                quantize_rows(Numbers::Bytes(*kind, values.as_slice()), matrix.rows(), RowScale::F16)
            }
            Storage::Blocks { .. } => quantize_rows(&matrix.to_vec(), matrix.rows(), RowScale::F16),
        };
        let rows = rows.map_err(named)?;
        let scales = bytes(&mut (0..matrix.rows()).map(|row| rows.view().scale(row)));
        Ok(Held::Rows { codes: rows.view().code_bytes().to_vec(), scales, shape })
    }

    /// Any other tensor in its own floating point, in f16 if it is quantized.
    pub fn float(matrix: Matrix, shape: Vec<usize>) -> Self {
        match matrix.storage() {
            Storage::Float(..) => Held::Float(matrix, shape),
            _ => Self::half(matrix, shape),
        }
    }

    /// Any other tensor, in f16.
    pub fn half(matrix: Matrix, shape: Vec<usize>) -> Self {
        if matches!(matrix.storage(), Storage::Float(FloatType::F16, _)) {
            return Held::Half(matrix, shape);
        }
        let values = matrix.to_vec().into_iter().map(half::f16::from_f32);
        Held::Bytes(values.flat_map(half::f16::to_le_bytes).collect(), shape)
    }

    pub(super) fn parts<'a>(&'a self, name: &str, parts: &mut Vec<(String, Part<'a>)>) -> Result<()> {
        let (values, shape) = match self {
            Held::Kept(matrix, shape) => (matrix.blocks()?, shape),
            Held::Quantized(quantized, shape) => (quantized.view(), shape),
            Held::Half(matrix, shape) => {
                let Storage::Float(_, values) = matrix.storage() else { unreachable!("made so") };
                parts.push((name.into(), Part::new(Dtype::F16, shape.clone(), values.as_slice())));
                return Ok(());
            }
            Held::Bytes(bytes, shape) => {
                parts.push((name.into(), Part::new(Dtype::F16, shape.clone(), bytes)));
                return Ok(());
            }
            Held::Float(matrix, shape) => {
                let Storage::Float(kind, values) = matrix.storage() else { unreachable!("made so") };
                let dtype = match kind {
                    FloatType::F32 => Dtype::F32,
                    FloatType::F16 => Dtype::F16,
                    FloatType::Bf16 => Dtype::BF16,
                };
                parts.push((name.into(), Part::new(dtype, shape.clone(), values.as_slice())));
                return Ok(());
            }
            Held::Rows { codes, scales, shape } => {
                parts.push((row_scales(name), Part::new(Dtype::F32, shape[..1].to_vec(), scales)));
                parts.push((row_format(name), Part::new(Dtype::U8, Vec::new(), &[0])));
                parts.push((name.into(), Part::new(Dtype::I8, shape.clone(), codes)));
                return Ok(());
            }
        };
        parts.extend(write(name, &Weight { shape: shape.clone(), dtype: FloatType::F16, values })?);
        Ok(())
    }

    /// How it is quantized, if in 4 bits.
    pub fn scheme(&self) -> Option<Scheme> {
        match self {
            Held::Kept(matrix, _) => matrix.blocks().ok().map(|blocks| blocks.scheme()),
            Held::Quantized(quantized, _) => Some(quantized.scheme()),
            _ => None,
        }
    }
}

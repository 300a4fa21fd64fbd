//! A weight matrix in whatever form it is stored. Kernels ask it for rows in `f32`; layers never ask what it is.

use std::ops::Range;
use std::sync::Arc;

use memmap2::Mmap;

use super::{Compute, Isa};
use crate::quant::{FloatType, Floats, Int8RowsRef, Numbers, QuantizedRef, ScalesRef, Scheme};
use crate::Result;

/// Bytes that are either mapped from a file or owned; cheap to clone, immutable.
#[derive(Clone)]
pub struct Buffer {
    owner: Owner,
    range: Range<usize>,
}

#[derive(Clone)]
enum Owner {
    Mapped(Arc<Mmap>),
    Owned(Arc<Vec<u8>>),
}

impl Buffer {
    /// All of a mapped file.
    pub fn mapped(file: Mmap) -> Self {
        let range = 0..file.len();
        Self { owner: Owner::Mapped(Arc::new(file)), range }
    }

    /// Bytes in memory.
    pub fn owned(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { owner: Owner::Owned(Arc::new(bytes)), range }
    }

    /// A window of this buffer; it shares the bytes.
    ///
    /// # Panics
    /// If `range` leaves the buffer.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let range = self.range.start + range.start..self.range.start + range.end;
        assert!(range.start <= range.end && range.end <= self.range.end, "a window outside its buffer");
        Self { owner: self.owner.clone(), range }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match &self.owner {
            Owner::Mapped(file) => &file[self.range.clone()],
            Owner::Owned(bytes) => &bytes[self.range.clone()],
        }
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Tells the system that mapped pages are not needed for now; they come back from the file when they are.
    pub fn release_pages(&self) {
        if let Owner::Mapped(file) = &self.owner {
            // SAFETY: the mapping is read-only and of a file, so a dropped page is read again, not lost.
            let _ = unsafe {
                file.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, self.range.start, self.range.len())
            };
        }
    }
}

/// How a matrix is stored.
#[derive(Clone)]
pub enum Storage {
    /// Little-endian numbers, row-major.
    Float(FloatType, Buffer),
    /// 4-bit codes in blocks over the row-major matrix, see [`crate::quant`].
    Blocks { scheme: Scheme, codes: Buffer, scales: BlockScales },
    /// Bytes with a scale for each row.
    Int8 { codes: Buffer, scales: (FloatType, Buffer) },
}

/// Scales of 4-bit blocks.
#[derive(Clone)]
pub enum BlockScales {
    /// One number a block.
    Plain(FloatType, Buffer),
    /// An 8-bit code a block, a magnitude for each 256 of those, and an offset for all. `map` is the table of the codes.
    Double { q: Buffer, absmax2: Buffer, offset: f32, map: Buffer },
}

/// The numbers that a product is computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    F32,
    Bf16,
    Int8,
}

/// Which of a row's activations share a scale where a product with many rows is in int8; a few rows always have blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ActivationScales {
    /// All of them: the fastest.
    #[default]
    PerRow,
    /// Each [`ActivationScales::BLOCK`]: a few values that stand out cost the others of their block nothing but precision.
    PerBlock,
}

impl ActivationScales {
    /// Values of a block: sixteen steps of a four-byte dot product.
    pub const BLOCK: usize = 64;
}

/// A `[rows, cols]` weight, `rows` being output features (or vocabulary entries).
#[derive(Clone)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    storage: Storage,
    compute: Compute,
    activation_scales: ActivationScales,
}

impl Matrix {
    /// Wraps stored weights, to be computed with exactly.
    ///
    /// # Errors
    /// `CorruptModel` if a part's length does not fit the shape; the message names the part, not the tensor.
    pub fn new(rows: usize, cols: usize, storage: Storage) -> Result<Self> {
        let matrix =
            Self { rows, cols, storage, compute: Compute::Exact, activation_scales: ActivationScales::default() };
        let wrong = || crate::Error::CorruptModel(format!("does not hold {rows}x{cols} values"));
        // A shape comes from a configuration, which may say anything.
        let count = rows.checked_mul(cols).ok_or_else(wrong)?;
        let holds = |bytes: &Buffer, count: usize, size: usize| count.checked_mul(size) == Some(bytes.len());
        let fits = match &matrix.storage {
            Storage::Float(kind, values) => holds(values, count, kind.size()),
            Storage::Blocks { .. } => matrix.blocks()?.len() == count,
            Storage::Int8 { codes, scales } => codes.len() == count && holds(&scales.1, rows, scales.0.size()),
        };
        if !fits {
            return Err(wrong());
        }
        Ok(matrix)
    }

    /// Output features.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Input features.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The same weights, to be computed with in another mode.
    pub fn computing(self, compute: Compute) -> Self {
        Self { compute, ..self }
    }

    /// The same weights, with activations rounded in another way where products are in int8.
    pub fn scaling(self, activation_scales: ActivationScales) -> Self {
        Self { activation_scales, ..self }
    }

    /// How activations are rounded where products are in int8.
    pub fn activation_scales(&self) -> ActivationScales {
        self.activation_scales
    }

    /// The same matrix; where products with it would be in int8 they are in bf16, or in `f32` where the CPU has no bf16.
    pub fn finer(self) -> Self {
        let compute = match self.arithmetic() {
            Arithmetic::Int8 if Isa::current() == Isa::Avx512Bf16 => Compute::Bf16,
            Arithmetic::Int8 => Compute::Exact,
            _ => self.compute,
        };
        Self { compute, ..self }
    }

    /// The arithmetic of a product with it.
    pub fn arithmetic(&self) -> Arithmetic {
        match (self.compute, &self.storage) {
            (Compute::Exact, _) | (Compute::Fast, Storage::Float(..)) => Arithmetic::F32,
            (Compute::Bf16, _) => Arithmetic::Bf16,
            (Compute::Fast, _) => Arithmetic::Int8,
        }
    }

    /// How it is stored.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The 4-bit blocks of [`Storage::Blocks`].
    pub fn blocks(&self) -> Result<QuantizedRef<'_>> {
        let Storage::Blocks { scheme, codes, scales } = &self.storage else {
            return Err(crate::Error::Internal("this matrix is not in 4-bit blocks".into()));
        };
        let scales = match scales {
            BlockScales::Plain(kind, values) => ScalesRef::Plain(Floats::Bytes(*kind, values.as_slice())),
            BlockScales::Double { q, absmax2, offset, map } => ScalesRef::Double {
                q: q.as_slice(),
                absmax2: Floats::Bytes(FloatType::F32, absmax2.as_slice()),
                offset: *offset,
                map: Floats::Bytes(FloatType::F32, map.as_slice()),
            },
        };
        QuantizedRef::new(*scheme, self.rows * self.cols, codes.as_slice(), scales)
    }

    /// Writes `rows` as `f32` into `out`, which holds `rows.len() * cols` values.
    pub fn dequantize_rows(&self, rows: Range<usize>, out: &mut [f32]) {
        let elements = rows.start * self.cols..rows.end * self.cols;
        assert_eq!(elements.len(), out.len(), "an output of another length than the rows");
        match &self.storage {
            Storage::Float(kind, values) => Numbers::Bytes(*kind, values.as_slice()).read(elements.start, out),
            Storage::Blocks { .. } => self.blocks().expect("checked when it was made").dequantize(elements, out),
            Storage::Int8 { codes, scales: (kind, scales) } => {
                let scales = Floats::Bytes(*kind, scales.as_slice());
                Int8RowsRef::from_bytes(self.rows, self.cols, codes.as_slice(), scales)
                    .expect("checked when it was made")
                    .dequantize(elements, out);
            }
        }
    }

    /// See [`Buffer::release_pages`], for every part.
    pub fn release_pages(&self) {
        match &self.storage {
            Storage::Float(_, buffer) => buffer.release_pages(),
            Storage::Blocks { codes, .. } | Storage::Int8 { codes, .. } => codes.release_pages(),
        }
    }

    /// All values, row-major.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.cols];
        self.dequantize_rows(0..self.rows, &mut values);
        values
    }

    /// The transposed matrix in memory: in the same precision if that is a floating-point one, else in `f32`. For the one
    /// parameter that a layout stores as `[in, out]`.
    pub fn transposed(&self) -> Self {
        let (kind, bytes) = match &self.storage {
            Storage::Float(kind, values) => (*kind, values.clone()),
            _ => (FloatType::F32, Buffer::owned(self.to_vec().iter().flat_map(|v| v.to_le_bytes()).collect())),
        };
        let (bytes, width) = (bytes.as_slice(), kind.size());
        let mut out = Vec::with_capacity(bytes.len());
        for col in 0..self.cols {
            for row in 0..self.rows {
                let at = (row * self.cols + col) * width;
                out.extend_from_slice(&bytes[at..at + width]);
            }
        }
        Self { rows: self.cols, cols: self.rows, storage: Storage::Float(kind, Buffer::owned(out)), ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_twice_is_the_identity() {
        let bytes: Vec<u8> = (0..5 * 3 * 2).collect();
        let m = Matrix::new(5, 3, Storage::Float(FloatType::F16, Buffer::owned(bytes.clone()))).unwrap();
        let Storage::Float(_, b) = m.transposed().transposed().storage else { unreachable!() };
        assert_eq!(b.as_slice(), bytes);
    }

    #[test]
    fn a_part_of_the_wrong_length_is_refused() {
        for len in [29, 31, 0] {
            assert!(Matrix::new(5, 3, Storage::Float(FloatType::F16, Buffer::owned(vec![0; len]))).is_err());
        }
    }

    #[test]
    fn a_shape_that_cannot_be_multiplied_is_refused() {
        let bytes = || Buffer::owned(vec![0; 8]);
        // In wrapping arithmetic these are four values of two bytes, by an overflow of the values or of the bytes.
        for rows in [(1 << 62) + 1, (1 << 61) + 1] {
            assert!(Matrix::new(rows, 4, Storage::Float(FloatType::F16, bytes())).is_err(), "{rows}x4");
        }
        let scales = (FloatType::F16, bytes());
        assert!(Matrix::new((1 << 61) + 1, 8, Storage::Int8 { codes: bytes(), scales }).is_err());
    }
}

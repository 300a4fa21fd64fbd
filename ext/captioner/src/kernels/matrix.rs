//! A weight matrix in whatever form it is stored. Kernels ask it for rows in `f32`; layers never ask what it is.

use std::ops::Range;
use std::sync::Arc;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// Bytes that are either mapped from a file or owned; cheap to clone, immutable.
#[derive(Clone)]
pub struct Buffer {
    owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
    range: Range<usize>,
}

impl Buffer {
    /// A window of `owner`'s bytes. `range` must lie inside.
    pub fn new(owner: Arc<dyn AsRef<[u8]> + Send + Sync>, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= (*owner).as_ref().len());
        Self { owner, range }
    }

    /// Bytes owned by the buffer alone.
    pub fn owned(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { owner: Arc::new(bytes), range }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &(*self.owner).as_ref()[self.range.clone()]
    }
}

/// How a matrix is stored.
#[derive(Clone)]
pub enum Storage {
    /// Little-endian IEEE single precision.
    F32(Buffer),
    /// Little-endian IEEE half precision.
    F16(Buffer),
    /// Little-endian bfloat16.
    Bf16(Buffer),
}

/// A `[rows, cols]` weight, `rows` being output features (or vocabulary entries).
#[derive(Clone)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    storage: Storage,
}

impl Matrix {
    /// Wraps stored weights; the buffer's length must fit the shape.
    pub fn new(rows: usize, cols: usize, storage: Storage) -> Self {
        let (buffer, width) = match &storage {
            Storage::F32(b) => (b, 4),
            Storage::F16(b) | Storage::Bf16(b) => (b, 2),
        };
        assert_eq!(buffer.as_slice().len(), rows * cols * width, "buffer of a {rows}x{cols} matrix");
        Self { rows, cols, storage }
    }

    /// Output features.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Input features.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Bytes that the weights take, mapped or owned.
    pub fn bytes(&self) -> usize {
        match &self.storage {
            Storage::F32(b) | Storage::F16(b) | Storage::Bf16(b) => b.as_slice().len(),
        }
    }

    /// Writes `rows` as `f32` into `out`, which holds `rows.len() * cols` values.
    pub fn dequantize_rows(&self, rows: Range<usize>, out: &mut [f32]) {
        let elements = rows.start * self.cols..rows.end * self.cols;
        debug_assert_eq!(elements.len(), out.len());
        match &self.storage {
            Storage::F32(b) => read_f32(&b.as_slice()[elements.start * 4..elements.end * 4], out),
            Storage::F16(b) => read_f16(&b.as_slice()[elements.start * 2..elements.end * 2], out),
            Storage::Bf16(b) => read_bf16(&b.as_slice()[elements.start * 2..elements.end * 2], out),
        }
    }

    /// The transposed matrix, copied in the same precision; for the one parameter that a layout stores as `[in, out]`.
    pub fn transposed(&self) -> Self {
        let (buffer, width) = match &self.storage {
            Storage::F32(b) => (b, 4),
            Storage::F16(b) | Storage::Bf16(b) => (b, 2),
        };
        let bytes = buffer.as_slice();
        let mut out = Vec::with_capacity(bytes.len());
        for col in 0..self.cols {
            for row in 0..self.rows {
                let at = (row * self.cols + col) * width;
                out.extend_from_slice(&bytes[at..at + width]);
            }
        }
        let owned = Buffer::owned(out);
        let storage = match &self.storage {
            Storage::F32(_) => Storage::F32(owned),
            Storage::F16(_) => Storage::F16(owned),
            Storage::Bf16(_) => Storage::Bf16(owned),
        };
        Self { rows: self.cols, cols: self.rows, storage }
    }
}

/// Little-endian bytes as `f32`s; safetensors does not promise alignment, so nothing is cast without a look.
pub(crate) fn read_f32(bytes: &[u8], out: &mut [f32]) {
    for (out, b) in out.iter_mut().zip(bytes.chunks_exact(4)) {
        *out = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    }
}

pub(crate) fn read_f16(bytes: &[u8], out: &mut [f32]) {
    // SAFETY: any bit pattern is an f16, and the middle part is aligned by definition.
    let (head, middle, tail) = unsafe { bytes.align_to::<f16>() };
    if cfg!(target_endian = "little") && head.is_empty() && tail.is_empty() {
        return middle.convert_to_f32_slice(out);
    }
    for (out, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        *out = f16::from_le_bytes([b[0], b[1]]).to_f32();
    }
}

pub(crate) fn read_bf16(bytes: &[u8], out: &mut [f32]) {
    for (out, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        *out = bf16::from_le_bytes([b[0], b[1]]).to_f32();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unaligned_halves_read_the_same() {
        let values: Vec<f16> = (0..33).map(|i| f16::from_f32(i as f32 * 0.7 - 9.0)).collect();
        let bytes: Vec<u8> = std::iter::once(0).chain(values.iter().flat_map(|v| v.to_le_bytes())).collect();
        let mut out = vec![0.0; 33];
        read_f16(&bytes[1..], &mut out);
        assert_eq!(out, values.iter().map(|v| v.to_f32()).collect::<Vec<_>>());
    }

    #[test]
    fn transposing_twice_is_the_identity() {
        let bytes: Vec<u8> = (0..5 * 3 * 2).collect();
        let m = Matrix::new(5, 3, Storage::F16(Buffer::owned(bytes.clone())));
        let Storage::F16(b) = m.transposed().transposed().storage else { unreachable!() };
        assert_eq!(b.as_slice(), bytes);
    }
}

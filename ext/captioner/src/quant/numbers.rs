//! Floating-point numbers as they lie in memory or in a file, read a block at a time.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// The element type of little-endian bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FloatType {
    F32,
    F16,
    Bf16,
}

impl FloatType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            FloatType::F32 => 4,
            FloatType::F16 | FloatType::Bf16 => 2,
        }
    }
}

/// A tensor to be quantized, row-major. Blocks are widened to f32 as they are read; no full copy is made.
#[derive(Debug, Clone, Copy)]
pub enum Numbers<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    Bf16(&'a [bf16]),
    /// Little-endian elements, of any alignment: a tensor of a mapped file. A trailing part of an element is not read.
    Bytes(FloatType, &'a [u8]),
}

impl Numbers<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Numbers::F32(values) => values.len(),
            Numbers::F16(values) => values.len(),
            Numbers::Bf16(values) => values.len(),
            Numbers::Bytes(kind, bytes) => bytes.len() / kind.size(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes elements `start..start + out.len()` to `out`.
    ///
    /// # Panics
    /// If that range leaves the tensor.
    pub fn read(&self, start: usize, out: &mut [f32]) {
        let end = start + out.len();
        match self {
            Numbers::F32(values) => out.copy_from_slice(&values[start..end]),
            Numbers::F16(values) => widen_f16(&values[start..end], out),
            Numbers::Bf16(values) => values[start..end].convert_to_f32_slice(out),
            Numbers::Bytes(FloatType::F32, bytes) => {
                for (value, le) in out.iter_mut().zip(bytes[4 * start..4 * end].chunks_exact(4)) {
                    *value = f32::from_le_bytes([le[0], le[1], le[2], le[3]]);
                }
            }
            Numbers::Bytes(FloatType::F16, bytes) => {
                read_halves(&bytes[2 * start..2 * end], out, f16::from_bits, widen_f16);
            }
            Numbers::Bytes(FloatType::Bf16, bytes) => {
                read_halves(&bytes[2 * start..2 * end], out, bf16::from_bits, |halves, out| {
                    halves.convert_to_f32_slice(out)
                });
            }
        }
    }
}

/// Widens 16-bit elements where they lie, or, if they lie between two addresses for such numbers, through a small buffer.
fn read_halves<T: Copy>(bytes: &[u8], out: &mut [f32], of_bits: impl Fn(u16) -> T, widen: impl Fn(&[T], &mut [f32])) {
    const CHUNK: usize = 64;
    // SAFETY: both 16-bit formats are transparent wrappers of `u16`, for which any bits will do.
    if let (true, ([], halves, [])) = (cfg!(target_endian = "little"), unsafe { bytes.align_to::<T>() }) {
        return widen(halves, out);
    }
    let mut buffer = [of_bits(0); CHUNK];
    for (out, bytes) in out.chunks_mut(CHUNK).zip(bytes.chunks(2 * CHUNK)) {
        for (half, le) in buffer.iter_mut().zip(bytes.chunks_exact(2)) {
            *half = of_bits(u16::from_le_bytes([le[0], le[1]]));
        }
        widen(&buffer[..out.len()], out);
    }
}

/// [`HalfFloatSliceExt::convert_to_f32_slice`] with one check of the CPU for the whole slice.
fn widen_f16(halves: &[f16], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx") && is_x86_feature_detected!("f16c") {
        // SAFETY: the CPU has what the function needs.
        return unsafe { widen_f16c(halves, out) };
    }
    halves.convert_to_f32_slice(out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx,f16c")]
unsafe fn widen_f16c(halves: &[f16], out: &mut [f32]) {
    use std::arch::x86_64::*;
    let (eights, rest) = out.as_chunks_mut::<8>();
    let (halves, half_rest) = halves.as_chunks::<8>();
    for (out, halves) in eights.iter_mut().zip(halves) {
        _mm256_storeu_ps(out.as_mut_ptr(), _mm256_cvtph_ps(_mm_loadu_si128(halves.as_ptr().cast())));
    }
    rest.iter_mut().zip(half_rest).for_each(|(out, half)| *out = half.to_f32());
}

macro_rules! source_from {
    ($variant:ident, $type:ty) => {
        impl<'a> From<&'a [$type]> for Numbers<'a> {
            fn from(values: &'a [$type]) -> Self {
                Numbers::$variant(values)
            }
        }
        impl<'a> From<&'a Vec<$type>> for Numbers<'a> {
            fn from(values: &'a Vec<$type>) -> Self {
                Numbers::$variant(values)
            }
        }
    };
}
source_from!(F32, f32);
source_from!(F16, f16);
source_from!(Bf16, bf16);

/// Borrowed scales: numbers of this process, or little-endian bytes of a mapped file, of any alignment.
#[derive(Debug, Clone, Copy)]
pub enum Floats<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    Bytes(FloatType, &'a [u8]),
}

impl Floats<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Floats::F32(values) => values.len(),
            Floats::F16(values) => values.len(),
            Floats::Bytes(kind, bytes) => bytes.len() / kind.size(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All elements.
    pub fn to_vec(&self) -> Vec<f32> {
        (0..self.len()).map(|index| self.get(index)).collect()
    }

    /// Element `index`.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub fn get(&self, index: usize) -> f32 {
        match self {
            Floats::F32(values) => values[index],
            Floats::F16(values) => values[index].to_f32(),
            Floats::Bytes(FloatType::F32, bytes) => {
                let le = &bytes[4 * index..4 * index + 4];
                f32::from_le_bytes([le[0], le[1], le[2], le[3]])
            }
            Floats::Bytes(kind, bytes) => {
                let bits = u16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]]);
                match kind {
                    FloatType::F16 => f16::from_bits(bits).to_f32(),
                    _ => bf16::from_bits(bits).to_f32(),
                }
            }
        }
    }
}

//! A weight laid out for products with many rows.
//!
//! The output features are cut into panels of 64. Within a panel the input features run outermost, in words of 32 bits
//! that hold what one lane of a dot-product instruction takes: four int8, or two bf16.
//!
//! ```text
//!              feature 0        feature 1              feature 63
//! word 0       [k0 k1 k2 k3]    [k0 k1 k2 k3]    ...   [k0 k1 k2 k3]      one line of the cache is 16 features,
//! word 1       [k4 k5 k6 k7]    [k4 k5 k6 k7]    ...   [k4 k5 k6 k7]      four of them a word of the panel
//! ...
//! ```
//!
//! A tile of the result is a few rows of activations times one panel: for each word a broadcast of the row's word meets
//! four loads. Missing features and the rest of a last word hold zeros.

#[cfg(target_arch = "x86_64")]
mod avx512;
pub(super) mod bf16;
pub(super) mod int8;
pub(super) mod interleave;
mod output;

pub(super) use output::Output;

/// Output features of a panel.
pub(super) const WIDTH: usize = 64;

/// A line of the cache: the words of sixteen features.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub [u32; 16]);

/// Lines of one word of a panel.
pub(super) const LINES: usize = WIDTH / 16;

#[cfg(test)]
pub(super) mod tests {
    use crate::kernels::{BlockScales, Buffer, Matrix, Storage};
    use crate::quant::{dynamic, quantize, Codebook, FloatType, Scales, Scheme};

    /// Numbers between -1 and 1 that look like noise.
    pub fn values(len: usize, seed: u32) -> Vec<f32> {
        let mix = |h: u32, shift: u32, factor: u32| (h ^ h >> shift).wrapping_mul(factor);
        let noise = |i: u32| mix(mix(i.wrapping_mul(0x9E37_79B9) ^ seed, 16, 0x21F0_AAAD), 15, 0x735A_2D97) >> 8;
        (0..len as u32).map(|i| noise(i) as f32 / (1 << 23) as f32 - 1.0).collect()
    }

    /// A weight in NF4 with blocks of `size`, whose blocks are of different magnitude.
    pub fn nf4(rows: usize, cols: usize, size: usize) -> Matrix {
        let scheme = Scheme::new(Codebook::Nf4, size, false).unwrap();
        let mut values = values(rows * cols, 17);
        values.iter_mut().enumerate().for_each(|(i, v)| *v *= 1.0 + (i / size % 5) as f32);
        let (_, _, codes, scales) = quantize(&values, scheme).unwrap().into_parts();
        let Scales::Plain(scales) = scales else { unreachable!("no double quantization was asked for") };
        let scales = Buffer::owned(scales.iter().flat_map(|v| v.to_le_bytes()).collect());
        let scales = BlockScales::Plain(FloatType::F32, scales);
        Matrix::new(rows, cols, Storage::Blocks { scheme, codes: Buffer::owned(codes), scales }).unwrap()
    }

    /// A weight in NF4 with double quantization.
    pub fn nf4_double(rows: usize, cols: usize) -> Matrix {
        let mut values = values(rows * cols, 19);
        values.iter_mut().enumerate().for_each(|(i, v)| *v *= 1.0 + (i / 64 % 7) as f32);
        let (scheme, _, codes, scales) = quantize(&values, Scheme::NF4).unwrap().into_parts();
        let Scales::Double { q, absmax2, offset } = scales else { unreachable!("double quantization was asked for") };
        let bytes = |values: &[f32]| Buffer::owned(values.iter().flat_map(|v| v.to_le_bytes()).collect());
        let (q, absmax2, map) = (Buffer::owned(q), bytes(&absmax2), bytes(dynamic::map()));
        let scales = BlockScales::Double { q, absmax2, offset, map };
        Matrix::new(rows, cols, Storage::Blocks { scheme, codes: Buffer::owned(codes), scales }).unwrap()
    }

    /// A weight in int8 rows.
    pub fn int8(rows: usize, cols: usize) -> Matrix {
        let codes = (0..rows * cols).map(|i| (i as i32 * 37 % 255 - 127) as i8 as u8).collect();
        let scales = (0..rows).flat_map(|row| (0.5 + row as f32).to_le_bytes()).collect();
        let scales = (FloatType::F32, Buffer::owned(scales));
        Matrix::new(rows, cols, Storage::Int8 { codes: Buffer::owned(codes), scales }).unwrap()
    }
}

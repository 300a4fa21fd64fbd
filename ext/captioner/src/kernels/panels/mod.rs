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
pub(super) mod int8;
mod interleave;
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
    use crate::quant::{quantize, Codebook, FloatType, Scales, Scheme};

    /// Numbers between -1 and 1 that look like noise.
    pub fn values(len: usize, seed: u32) -> Vec<f32> {
        (0..len as u32).map(|i| ((i.wrapping_mul(2_654_435_761) ^ seed) >> 20) as f32 / 2048.0 - 1.0).collect()
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

    /// A weight in int8 rows.
    pub fn int8(rows: usize, cols: usize) -> Matrix {
        let codes = (0..rows * cols).map(|i| (i as i32 * 37 % 255 - 127) as i8 as u8).collect();
        let scales = (0..rows).flat_map(|row| (0.5 + row as f32).to_le_bytes()).collect();
        let scales = (FloatType::F32, Buffer::owned(scales));
        Matrix::new(rows, cols, Storage::Int8 { codes: Buffer::owned(codes), scales }).unwrap()
    }
}

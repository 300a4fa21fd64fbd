//! From floating-point numbers to 4-bit blocks.

use std::ops::Range;

use rayon::prelude::*;

use super::fit::{self, Fit};
use super::nearest::{nearest, STRIDE};
use super::{cascade_sum, dynamic, Codebook, Numbers, Quantized, Scales, Scheme};
use crate::error::{Error, Result};

/// Blocks of one parallel task: enough work to outweigh handing it out.
const BLOCKS_PER_TASK: usize = 512;
/// The smallest divisor, as in bitsandbytes: a block of zeros divides by it instead of by zero.
const TINY: f32 = 1e-38;

/// Quantizes a row-major tensor as bitsandbytes does. Runs in the caller's rayon pool; the result does not depend on its size.
///
/// # Errors
/// `CorruptModel` if a value is NaN or infinite (the message names its index, not its tensor), `InvalidArgument` for a code
/// table that is only read.
pub fn quantize<'a>(source: impl Into<Numbers<'a>>, scheme: Scheme) -> Result<Quantized> {
    quantize_with(source, scheme, Fit::Largest)
}

/// [`quantize`] with a choice of how scales are found.
///
/// # Errors
/// See [`quantize`].
pub fn quantize_with<'a>(source: impl Into<Numbers<'a>>, scheme: Scheme, fit: Fit) -> Result<Quantized> {
    let (source, code) = (source.into(), scheme.code());
    let bounds = code.bounds().ok_or_else(|| {
        Error::InvalidArgument(format!("{} is read from checkpoints, not written; use nf4", code.name()))
    })?;
    let len = source.len();
    let mut codes = vec![0u8; scheme.code_bytes(len)];
    let mut scales = vec![0f32; scheme.blocks(len)];
    let full = |values: &[f32]| values.len() == scheme.blocksize();
    match fit {
        Fit::Largest => each_block(&source, scheme, &mut codes, &mut scales, |values, scale, codes| {
            *scale = largest(values)?;
            // A short last block divides and a full one multiplies by the reciprocal: bitsandbytes rounds so.
            if full(values) {
                let inverse = 1.0 / scale.max(TINY);
                encode(values, |value| value * inverse, bounds, codes);
            } else {
                *scale = scale.max(TINY);
                encode(values, |value| value / *scale, bounds, codes);
            }
            Some(())
        })?,
        Fit::LeastSquares => each_block(&source, scheme, &mut codes, &mut scales, |values, scale, _| {
            *scale = fit::scale(values, largest(values)?, code.values(), bounds);
            Some(())
        })?,
    }
    let scales = match scheme.double_quant() {
        true => nest(scales),
        false => Scales::Plain(scales),
    };
    if fit == Fit::LeastSquares {
        // Codes for the scales as they are stored, which double quantization has moved a little.
        let blocks = scheme.blocks(len);
        let mut stored: Vec<f32> = (0..blocks).map(|block| scales.view().scale(block)).collect();
        each_block(&source, scheme, &mut codes, &mut stored, |values, scale, codes| {
            let inverse = if *scale == 0.0 { 0.0 } else { 1.0 / *scale };
            encode(values, |value| value * inverse, bounds, codes);
            Some(())
        })?;
    }
    Quantized::new(scheme, len, codes, scales)
}

/// Calls `work` with the values, the scale and the codes of every block; nothing from it says that a value is not finite.
fn each_block(
    source: &Numbers,
    scheme: Scheme,
    codes: &mut [u8],
    scales: &mut [f32],
    work: impl Fn(&[f32], &mut f32, &mut [u8]) -> Option<()> + Sync,
) -> Result<()> {
    let (len, blocksize) = (source.len(), scheme.blocksize());
    let codes = codes.par_chunks_mut(BLOCKS_PER_TASK * blocksize / 2);
    codes.zip(scales.par_chunks_mut(BLOCKS_PER_TASK)).enumerate().try_for_each(|(task, (codes, scales))| {
        let mut values = vec![0f32; blocksize];
        for (i, (codes, scale)) in codes.chunks_mut(blocksize / 2).zip(scales).enumerate() {
            let start = (task * BLOCKS_PER_TASK + i) * blocksize;
            let end = (start + blocksize).min(len);
            let values = &mut values[..end - start];
            source.read(start, values);
            work(values, scale, codes).ok_or_else(|| not_finite(source, start..end))?;
        }
        Ok(())
    })
}

/// The largest magnitude, or nothing if a value is not finite.
fn largest(values: &[f32]) -> Option<f32> {
    // Magnitudes of floats order like their bits, and the bits of infinities and NaNs are above all others.
    let bits = values.iter().fold(0u32, |max, value| max.max(value.to_bits() & 0x7fff_ffff));
    Some(f32::from_bits(bits)).filter(|absmax| absmax.is_finite())
}

/// Writes the codes of one block, whose values `scaled` brings to -1..=1.
fn encode(values: &[f32], scaled: impl Fn(f32) -> f32, bounds: &[f32; 15], codes: &mut [u8]) {
    for (values, codes) in values.chunks(STRIDE).zip(codes.chunks_mut(STRIDE / 2)) {
        // The missing half of an odd tensor's last byte is the code of zero.
        let mut padded = [0f32; STRIDE];
        padded.iter_mut().zip(values).for_each(|(padded, value)| *padded = scaled(*value));
        let nibbles = nearest(&padded, bounds);
        for (code, pair) in codes.iter_mut().zip(nibbles.chunks_exact(2)) {
            *code = pair[0] << 4 | pair[1];
        }
    }
}

/// Quantizes scales: what remains of each after their mean is taken off, in dynamic 8-bit blocks.
fn nest(scales: Vec<f32>) -> Scales {
    let offset = match scales.len() {
        0 => 0.0,
        n => cascade_sum(&scales) / n as f32,
    };
    let centred: Vec<f32> = scales.iter().map(|scale| scale - offset).collect();
    let (q, absmax2) = dynamic::quantize(&centred);
    Scales::Double { q, absmax2, offset }
}

/// Names the first value of `range` that is NaN or infinite.
fn not_finite(source: &Numbers, range: Range<usize>) -> Error {
    let mut values = vec![0f32; range.len()];
    source.read(range.start, &mut values);
    let at = values.iter().position(|value| !value.is_finite()).unwrap_or(0);
    Error::CorruptModel(format!("value {} is {}: only finite numbers can be quantized", range.start + at, values[at]))
}

impl Codebook {
    /// The largest distance from a value to its decoded self, in units of the block's exact scale: half the widest gap.
    pub fn error_bound(self) -> f32 {
        let mut values = *self.values();
        values.sort_by(f32::total_cmp);
        values.windows(2).map(|pair| (pair[1] - pair[0]) / 2.0).fold(0.0, f32::max)
    }
}

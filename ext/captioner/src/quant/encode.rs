//! From floating-point numbers to 4-bit blocks.

use std::ops::Range;

use rayon::prelude::*;

use super::{cascade_sum, dynamic, Codebook, Quantized, Scales, Scheme, Source};
use crate::error::{Error, Result};

/// Blocks of one parallel task: enough work to outweigh handing it out.
const BLOCKS_PER_TASK: usize = 512;
/// Values that are widened and encoded at a time. Divides every block size.
const STRIDE: usize = 32;
/// The smallest divisor, as in bitsandbytes: a block of zeros divides by it instead of by zero.
const TINY: f32 = 1e-38;

/// Quantizes a row-major tensor. Runs in the caller's rayon pool; the result does not depend on its size.
///
/// # Errors
/// `CorruptModel` if a value is NaN or infinite (the message names its index, not its tensor), `InvalidArgument` for a code
/// table that is only read.
pub fn quantize<'a>(source: impl Into<Source<'a>>, scheme: Scheme) -> Result<Quantized> {
    let source = source.into();
    let bounds = scheme.code().bounds().ok_or_else(|| {
        Error::InvalidArgument(format!("{} is read from checkpoints, not written; use nf4", scheme.code().name()))
    })?;
    let (len, blocksize) = (source.len(), scheme.blocksize());
    let mut codes = vec![0u8; scheme.code_bytes(len)];
    let mut scales = vec![0f32; scheme.blocks(len)];
    codes
        .par_chunks_mut(BLOCKS_PER_TASK * blocksize / 2)
        .zip(scales.par_chunks_mut(BLOCKS_PER_TASK))
        .enumerate()
        .try_for_each(|(task, (codes, scales))| {
            let first = task * BLOCKS_PER_TASK;
            let mut values = vec![0f32; blocksize];
            for (i, (codes, scale)) in codes.chunks_mut(blocksize / 2).zip(scales).enumerate() {
                let start = (first + i) * blocksize;
                let end = (start + blocksize).min(len);
                source.read(start, &mut values[..end - start]);
                *scale = encode_block(&mut values[..end - start], end - start == blocksize, bounds, codes)
                    .ok_or_else(|| not_finite(&source, start..end))?;
            }
            Ok::<(), Error>(())
        })?;
    let scales = match scheme.double_quant() {
        true => nest(scales),
        false => Scales::Plain(scales),
    };
    Quantized::new(scheme, len, codes, scales)
}

/// Encodes one block into `codes`, using `values` as scratch; returns its scale, or nothing if a value is not finite.
fn encode_block(values: &mut [f32], full: bool, bounds: &[f32; 15], codes: &mut [u8]) -> Option<f32> {
    // Magnitudes of floats order like their bits, and the bits of infinities and NaNs are above all others.
    let bits = values.iter().fold(0u32, |max, value| max.max(value.to_bits() & 0x7fff_ffff));
    let absmax = f32::from_bits(bits);
    if !absmax.is_finite() {
        return None;
    }
    // A full block multiplies by the reciprocal and a short last one divides: bitsandbytes rounds so.
    let scale = if full {
        let inverse = 1.0 / absmax.max(TINY);
        values.iter_mut().for_each(|value| *value *= inverse);
        absmax
    } else {
        let divisor = absmax.max(TINY);
        values.iter_mut().for_each(|value| *value /= divisor);
        divisor
    };
    for (values, codes) in values.chunks(STRIDE).zip(codes.chunks_mut(STRIDE / 2)) {
        // The missing half of an odd tensor's last byte is the code of zero.
        let mut padded = [0f32; STRIDE];
        padded[..values.len()].copy_from_slice(values);
        let nibbles = nearest(&padded, bounds);
        for (code, pair) in codes.iter_mut().zip(nibbles.chunks_exact(2)) {
            *code = pair[0] << 4 | pair[1];
        }
    }
    Some(scale)
}

/// For each value the number of bounds strictly below it. Bounds outside, values inside: that order vectorizes.
fn nearest(values: &[f32; STRIDE], bounds: &[f32; 15]) -> [u8; STRIDE] {
    let mut codes = [0u8; STRIDE];
    for bound in bounds {
        for (code, value) in codes.iter_mut().zip(values) {
            *code += u8::from(value > bound);
        }
    }
    codes
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
fn not_finite(source: &Source, range: Range<usize>) -> Error {
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

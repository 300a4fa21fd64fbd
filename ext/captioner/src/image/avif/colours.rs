//! Luma and chroma to red, green and blue, as libavif does it for Pillow: in libyuv's integers (row_common.cc) for the usual
//! matrices, otherwise in floats (reformat.c).

use super::super::context::Context;
use super::super::ground::Ground;
use super::super::limits::Failure;
use super::super::memory;
use super::planes::Planes;
use super::properties::{unsupported, Description};
use super::upsampling::Upsampler;

mod floats;
mod integers;

use floats::Floats;
use integers::{divided, Integers};

/// The plane of alpha.
pub(super) struct Alpha {
    pub(super) planes: Planes,
    /// Its greatest value is opaque.
    pub(super) full_range: bool,
    /// Colours are multiplied with it already.
    pub(super) premultiplied: bool,
}

/// Rows of one picture to colours.
trait Rows {
    /// The colours of row `y`, into interleaved RGBA. `multiplied` is the alpha that they were multiplied with, in samples.
    fn row(&mut self, planes: &Planes, y: usize, multiplied: Option<&[u16]>, rgba: &mut [u8]);

    /// Alpha of 8 bits from a sample.
    fn alpha(&self, sample: u16, depth: u32) -> u8 {
        rounded(sample, depth)
    }

    /// The colours of a pixel without the alpha that they were multiplied with, unless `row` has done that.
    fn divide(&self, [r, g, b, alpha]: [u8; 4]) -> [u8; 4] {
        let [r, g, b] = [r, g, b].map(|value| divided(value, alpha));
        [r, g, b, alpha]
    }
}

/// A sample in 8 bits, to nearest.
fn rounded(sample: u16, depth: u32) -> u8 {
    let most = ((1u32 << depth) - 1) as f32;
    (0.5 + f32::from(sample) / most * 255.0) as u8
}

/// Appends the picture to `data` as RGB on a ground.
pub(super) fn rgb(
    planes: &Planes,
    alpha: Option<&Alpha>,
    description: Description,
    context: &Context<'_>,
    ground: &mut Ground,
    data: &mut Vec<u8>,
) -> Result<(), Failure> {
    if alpha.is_some_and(|alpha| alpha.planes.depth != planes.depth) {
        return Err(unsupported("an alpha plane of another depth"));
    }
    let mut rows: Box<dyn Rows> = match Integers::new(planes, alpha.is_some(), description)? {
        Some(integers) => Box::new(integers),
        None => Box::new(Floats::new(planes, description)?),
    };
    let mut rgba = memory::filled(255u8, planes.width * 4)?;
    let mut samples = memory::filled(0u16, planes.width)?;
    for y in 0..planes.height {
        if y % 16 == 0 {
            context.go_on()?;
        }
        let Some(alpha) = alpha else {
            rows.row(planes, y, None, &mut rgba);
            rgba.chunks_exact(4).for_each(|pixel| data.extend_from_slice(&pixel[..3]));
            continue;
        };
        alpha.planes.read(0, y, &mut samples);
        if !alpha.full_range {
            samples.iter_mut().for_each(|sample| *sample = stretched(*sample, planes.depth));
        }
        rows.row(planes, y, alpha.premultiplied.then_some(&samples), &mut rgba);
        for (pixel, &sample) in rgba.chunks_exact(4).zip(&samples) {
            let mut pixel = [pixel[0], pixel[1], pixel[2], rows.alpha(sample, planes.depth)];
            if alpha.premultiplied {
                pixel = rows.divide(pixel);
            }
            data.extend_from_slice(&ground.pixel(pixel));
        }
    }
    Ok(())
}

/// Limited range to the full one.
fn stretched(sample: u16, depth: u32) -> u16 {
    let (least, most, full) = (16 << (depth - 8), 235 << (depth - 8), (1 << depth) - 1);
    let range = most - least;
    (((i32::from(sample) - least) * full + range / 2) / range).clamp(0, full) as u16
}

//! TIFF: the first picture of the file, in strips or tiles, as far as Pillow reads it (TiffImagePlugin.py) and without its
//! rarer codings.
//!
//! Written here because what the decoders of others lack (palettes, planes, memory that may be refused) is most of it.

use super::context::Context;
use super::ground::Ground;
use super::limits::Failure;
use super::{memory, RgbImage};

mod colours;
mod directory;
mod unpack;

use colours::Colours;
use directory::Directory;

/// Larger numbers of samples a pixel are not plausible.
const MOST_SAMPLES: usize = 8;

/// What the tags say, checked.
struct Layout {
    width: usize,
    height: usize,
    bits: usize,
    samples: usize,
    /// Each sample has its own chunks.
    planar: bool,
    compression: usize,
    /// Samples are differences to their left neighbours.
    differences: bool,
    /// Bits are stored from the lowest on.
    reversed: bool,
    /// The size of a strip or tile, and how many lie side by side.
    chunk: (usize, usize),
    across: usize,
    offsets: Vec<usize>,
    counts: Vec<usize>,
}

impl Layout {
    fn read(directory: &Directory<'_>, context: &Context<'_>) -> Result<Self, Failure> {
        let one = |tag: u16, default: usize| directory.number(tag).unwrap_or(default);
        let (width, height) = (one(256, 0), one(257, 0));
        context.check(width as u64, height as u64)?;
        let bits = directory.numbers(258)?;
        let samples = one(277, bits.len().max(1));
        let depth = bits.first().copied().unwrap_or(1);
        if samples == 0 || samples > MOST_SAMPLES || bits.iter().any(|&bits| bits != depth) {
            return Err(unsupported("this mix of samples"));
        }
        if ![1, 2, 4, 8, 16].contains(&depth) || (depth < 8 && samples > 1) {
            return Err(unsupported(&format!("{samples} samples of {depth} bits")));
        }
        if directory.numbers(339)?.iter().any(|&format| format != 1) {
            return Err(unsupported("numbers with signs or fractions"));
        }
        let is_tiled = directory.number(322).is_some();
        let (chunk, offsets, counts) = match is_tiled {
            true => ((one(322, 0), one(323, 0)), directory.numbers(324)?, directory.numbers(325)?),
            false => ((width, one(278, height).min(height)), directory.numbers(273)?, directory.numbers(279)?),
        };
        if chunk.0 == 0 || chunk.1 == 0 || chunk.0 > width.next_multiple_of(16).max(1 << 16) || chunk.1 > 1 << 16 {
            return Err(Failure::unreadable("the size of its strips or tiles is not plausible"));
        }
        context.check(chunk.0 as u64, chunk.1 as u64)?;
        let across = width.div_ceil(chunk.0);
        Ok(Layout {
            width,
            height,
            bits: depth,
            samples,
            planar: one(284, 1) == 2 && samples > 1,
            compression: one(259, 1),
            differences: match one(317, 1) {
                1 => false,
                2 if depth >= 8 => true,
                _ => return Err(unsupported("this predictor")),
            },
            reversed: one(266, 1) == 2,
            chunk,
            across,
            offsets,
            counts,
        })
    }

    /// Samples that lie together.
    fn together(&self) -> usize {
        if self.planar {
            1
        } else {
            self.samples
        }
    }

    fn row_bytes(&self) -> usize {
        (self.chunk.0 * self.together() * self.bits).div_ceil(8)
    }

    /// The unpacked rows of a chunk, of which only the first `rows` matter, one byte a sample from 8 bits on.
    fn unpacked(
        &self,
        bytes: &[u8],
        index: usize,
        rows: usize,
        big: bool,
        context: &Context<'_>,
    ) -> Result<Vec<u8>, Failure> {
        let offset = *self.offsets.get(index).ok_or_else(Failure::truncated)?;
        let rest = bytes.get(offset..).ok_or_else(Failure::truncated)?;
        // Some writers leave the lengths out: then the data goes on as far as it is needed.
        let packed = match self.counts.get(index) {
            Some(&count) if count > 0 => rest.get(..count).unwrap_or(rest),
            _ => rest,
        };
        let reversed;
        let packed = if self.reversed {
            let mut bytes = memory::room(packed.len())?;
            bytes.extend(packed.iter().map(|byte| byte.reverse_bits()));
            reversed = bytes;
            &reversed
        } else {
            packed
        };
        let mut data = unpack::unpack(packed, self.compression, self.row_bytes() * rows, context)?;
        if self.bits < 8 {
            return Ok(data);
        }
        for row in data.chunks_exact_mut(self.row_bytes()) {
            if self.differences {
                unpack::sum(row, self.together(), self.bits, big);
            }
        }
        if self.bits == 16 {
            // The high byte of each sample.
            let count = data.len() / 2;
            (0..count).for_each(|i| data[i] = data[i * 2 + usize::from(!big)]);
            data.truncate(count);
        }
        Ok(data)
    }
}

fn unsupported(what: &str) -> Failure {
    Failure::unreadable(format!("{what} are not supported in it"))
}

/// The orientation that the first picture's tags give.
pub(super) fn orientation(bytes: &[u8]) -> Option<u8> {
    let value = Directory::first(bytes).ok()?.number(274)?;
    u8::try_from(value).ok().filter(|value| (1..=8).contains(value))
}

pub(super) fn decode(bytes: &[u8], context: &Context<'_>, ground: &mut Ground) -> Result<RgbImage, Failure> {
    let directory = Directory::first(bytes)?;
    let layout = Layout::read(&directory, context)?;
    let colours = Colours::read(&directory, layout.bits, layout.samples)?;
    let mut data = memory::filled(0, layout.width * layout.height * 3)?;
    let chunks = layout.across * layout.height.div_ceil(layout.chunk.1);
    for index in 0..chunks {
        context.go_on()?;
        let (x, y) = (index % layout.across * layout.chunk.0, index / layout.across * layout.chunk.1);
        let (columns, rows) = (layout.chunk.0.min(layout.width - x), layout.chunk.1.min(layout.height - y));
        let planes = (0..layout.samples / layout.together())
            .map(|plane| layout.unpacked(bytes, index + plane * chunks, rows, directory.big, context))
            .collect::<Result<Vec<_>, _>>()?;
        let stride = planes[0].len() / rows;
        for row in 0..rows {
            let target = &mut data[((y + row) * layout.width + x) * 3..][..columns * 3];
            for (i, pixel) in target.chunks_exact_mut(3).enumerate() {
                let sample = |number: usize| match planes.len() {
                    1 if layout.bits < 8 => {
                        let bit = i * layout.bits;
                        let byte = planes[0][row * stride + bit / 8];
                        byte >> (8 - layout.bits - bit % 8) & ((1 << layout.bits) - 1) as u8
                    }
                    1 => planes[0][row * stride + i * layout.samples + number],
                    _ => planes[number][row * stride + i],
                };
                pixel.copy_from_slice(&ground.pixel(colours.rgba(sample)));
            }
        }
    }
    Ok(RgbImage { width: layout.width as u32, height: layout.height as u32, data })
}

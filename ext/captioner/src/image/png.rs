//! PNG, with Pillow's reading of depth and transparency (PngImagePlugin.py, libImaging/Unpack.c and Convert.c).

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Limits as PngLimits, Transformations};

use super::context::Context;
use super::limits::Failure;
use super::{memory, over_white, RgbImage};

/// Memory for everything but the pixels: palettes, profiles, the inflater's window.
const METADATA_BYTES: usize = 64 << 20;

impl From<png::DecodingError> for Failure {
    fn from(error: png::DecodingError) -> Self {
        match error {
            png::DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Failure::truncated(),
            other => Failure::unreadable(other),
        }
    }
}

pub(super) fn decode(bytes: &[u8], context: &Context<'_>) -> Result<RgbImage, Failure> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), PngLimits { bytes: METADATA_BYTES });
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info()?;
    let (width, height) = (header.width, header.height);
    let pixels = context.check(width.into(), height.into())?;
    // The decoder counts its buffers for single rows too.
    decoder.set_limits(PngLimits { bytes: METADATA_BYTES.saturating_add((width as usize).saturating_mul(16)) });
    let mut reader = decoder.read_info()?;
    let rows = Rows::new(reader.info());
    let interlaced = reader.info().interlaced;
    let line = reader.output_line_size(width).ok_or_else(Failure::truncated)?;
    let mut data = Vec::with_capacity(pixels * 3);
    if interlaced {
        let mut raw = vec![0; line * height as usize];
        reader.next_frame(&mut raw)?;
        raw.chunks_exact(line).for_each(|row| rows.convert(row, width as usize, &mut data));
    } else {
        // Row by row, so that 16-bit images never need a second full-size buffer.
        for _ in 0..height {
            let row = reader.next_row()?.ok_or_else(Failure::truncated)?;
            rows.convert(row.data(), width as usize, &mut data);
        }
        // Once more, for the checksum of the data. A file that ends right behind its last row is complete enough.
        match reader.next_row() {
            Err(png::DecodingError::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => {}
            other => {
                other?;
            }
        }
    }
    Ok(RgbImage { width, height, data })
}

/// How a raw row becomes RGB.
enum Rows {
    /// Up to 8 bits of grey or palette index: a table from the sample to the finished colour.
    Table { bits: usize, colours: Box<[[u8; 3]; 256]> },
    /// 16-bit grey, clipped at 255 as `I;16` to `RGB` does, then the table.
    Grey16 { colours: Box<[[u8; 3]; 256]> },
    /// RGB of one or two bytes a channel, of which the high one counts, and the colour that is transparent.
    Rgb { bytes: usize, transparent: Option<[u8; 3]> },
    /// Grey or RGB with alpha.
    Alpha { bytes: usize, colours: usize },
}

impl Rows {
    fn new(info: &png::Info<'_>) -> Self {
        let bytes = if info.bit_depth == BitDepth::Sixteen { 2 } else { 1 };
        let trns = info.trns.as_deref();
        match info.color_type {
            ColorType::Indexed => {
                let palette = info.palette.as_deref().unwrap_or_default();
                Rows::Table { bits: info.bit_depth as usize, colours: indexed(palette, trns.unwrap_or_default()) }
            }
            ColorType::Grayscale => {
                // The low byte: the png crate keeps nothing else of it below 16 bits, and Pillow compares nothing else.
                let transparent = trns.and_then(|t| t.last().copied());
                match info.bit_depth {
                    BitDepth::Sixteen => Rows::Grey16 { colours: grey(1, transparent) },
                    // Pillow's mode "1" knows only zero and not zero.
                    BitDepth::One => {
                        let transparent = transparent.map(|t| if t == 0 { 0 } else { 255 });
                        Rows::Table { bits: 1, colours: grey(255, transparent) }
                    }
                    depth => {
                        // As in Pillow, the transparent value is not scaled along with the samples.
                        let scale = [0, 0, 85, 0, 17, 0, 0, 0, 1][depth as usize];
                        Rows::Table { bits: depth as usize, colours: grey(scale, transparent) }
                    }
                }
            }
            ColorType::Rgb => {
                // As in Pillow, 16-bit samples give their high byte and the transparent colour its low byte.
                let transparent = match trns {
                    Some(&[_, r, _, g, _, b]) => Some([r, g, b]),
                    Some(&[r, g, b]) => Some([r, g, b]),
                    _ => None,
                };
                Rows::Rgb { bytes, transparent }
            }
            ColorType::GrayscaleAlpha => Rows::Alpha { bytes, colours: 1 },
            ColorType::Rgba => Rows::Alpha { bytes, colours: 3 },
        }
    }

    fn convert(&self, row: &[u8], width: usize, out: &mut Vec<u8>) {
        match self {
            Rows::Table { bits: 8, colours } => {
                row[..width].iter().for_each(|&sample| out.extend_from_slice(&colours[usize::from(sample)]));
            }
            Rows::Table { bits, colours } => {
                let mask = (1 << bits) - 1;
                for x in 0..width {
                    let bit = x * bits;
                    let sample = (row[bit / 8] >> (8 - bits - bit % 8)) & mask;
                    out.extend_from_slice(&colours[usize::from(sample)]);
                }
            }
            Rows::Grey16 { colours } => {
                for sample in row[..width * 2].chunks_exact(2) {
                    let value = if sample[0] == 0 { sample[1] } else { 255 };
                    out.extend_from_slice(&colours[usize::from(value)]);
                }
            }
            Rows::Rgb { bytes: 1, transparent: None } => out.extend_from_slice(&row[..width * 3]),
            Rows::Rgb { bytes, transparent } => {
                for sample in row[..width * 3 * bytes].chunks_exact(3 * bytes) {
                    let rgb = [sample[0], sample[*bytes], sample[2 * bytes]];
                    out.extend_from_slice(if *transparent == Some(rgb) { &[255; 3] } else { &rgb });
                }
            }
            Rows::Alpha { bytes, colours } => {
                let size = (colours + 1) * bytes;
                for sample in row[..width * size].chunks_exact(size) {
                    let at = |channel: usize| sample[channel.min(colours - 1) * bytes];
                    let alpha = sample[colours * bytes];
                    out.extend_from_slice(&over_white::pixel([at(0), at(1), at(2), alpha]));
                }
            }
        }
    }
}

/// The finished colour of each palette index. Pillow takes entries that the palette lacks as black.
fn indexed(palette: &[u8], alpha: &[u8]) -> Box<[[u8; 3]; 256]> {
    let mut colours = Box::new([[0; 3]; 256]);
    for (index, colour) in colours.iter_mut().enumerate() {
        let rgb = palette.get(index * 3..index * 3 + 3).unwrap_or(&[0; 3]);
        *colour = over_white::pixel([rgb[0], rgb[1], rgb[2], alpha.get(index).copied().unwrap_or(255)]);
    }
    colours
}

/// The finished colour of each grey sample, of which one value may be transparent.
fn grey(scale: u8, transparent: Option<u8>) -> Box<[[u8; 3]; 256]> {
    let mut colours = Box::new([[0; 3]; 256]);
    for (sample, colour) in colours.iter_mut().enumerate() {
        let value = (sample as u8).wrapping_mul(scale);
        *colour = if transparent == Some(value) { [255; 3] } else { [value; 3] };
    }
    colours
}

/// The EXIF data of the file, wherever it lies.
pub(super) fn exif(_bytes: &[u8]) -> Option<&[u8]> {
    None
}

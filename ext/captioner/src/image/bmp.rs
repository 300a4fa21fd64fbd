//! BMP: 1 to 32 bits, palettes, bit fields and run lengths, as far as Pillow reads them (BmpImagePlugin.py).

use super::context::Context;
use super::ground::Ground;
use super::limits::Failure;
use super::{memory, RgbImage};

mod rle;

/// What the headers say.
struct Header {
    width: usize,
    height: usize,
    top_down: bool,
    bits: usize,
    compression: u32,
    colours: usize,
    /// Bytes of one palette entry.
    entry: usize,
    masks: Option<[u32; 4]>,
    /// Where the headers end and the palette begins.
    end: usize,
}

pub(super) fn decode(bytes: &[u8], context: &Context<'_>, ground: &mut Ground) -> Result<RgbImage, Failure> {
    let header = Header::read(bytes)?;
    let (width, height, bits) = (header.width, header.height, header.bits);
    let pixels = context.check(width as u64, height as u64)?;
    let offset = header.pixels_at(bytes)?;
    let source = bytes.get(offset..).ok_or_else(Failure::truncated)?;
    let layout = PixelFormat::new(&header, bytes)?;
    let mut data = memory::filled(0, pixels * 3)?;
    if let (1 | 2, PixelFormat::Indexed(colours)) = (header.compression, &layout) {
        let indices = rle::unpack(source, offset, width, height, header.compression == 2)?;
        for (pixel, &index) in data.chunks_exact_mut(3).zip(&indices) {
            pixel.copy_from_slice(&colours[usize::from(index)]);
        }
    } else {
        // Rows are padded to four bytes; the last one may end with its last pixel.
        let (used, stride) = ((width * bits).div_ceil(8), (width * bits).div_ceil(32) * 4);
        for (y, row) in data.chunks_exact_mut(width * 3).enumerate() {
            if y % 64 == 0 {
                context.go_on()?;
            }
            let raw = source.get(y * stride..y * stride + used).ok_or_else(Failure::truncated)?;
            layout.convert(raw, bits, ground, row);
        }
    }
    if !header.top_down {
        flip(&mut data, width * 3);
    }
    Ok(RgbImage { width: width as u32, height: height as u32, data })
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let u16_at = |at: usize| -> Result<usize, Failure> {
            let raw = bytes.get(at..at + 2).ok_or_else(Failure::truncated)?;
            Ok(usize::from(raw[0]) | usize::from(raw[1]) << 8)
        };
        let u32_at = |at: usize| Ok::<u32, Failure>(u16_at(at)? as u32 | (u16_at(at + 2)? as u32) << 16);
        let size = u32_at(14)? as usize;
        let end = 14 + size;
        if size == 12 {
            let (width, height, bits) = (u16_at(18)?, u16_at(20)?, u16_at(24)?);
            let colours = 1 << bits.min(31);
            let (top_down, compression, entry) = (false, 0, 3);
            return Ok(Header { width, height, top_down, bits, compression, colours, entry, masks: None, end });
        }
        if ![40, 52, 56, 64, 108, 124].contains(&size) {
            return Err(Failure::unreadable(format!("its header has an unknown size of {size} bytes")));
        }
        let height = u32_at(22)?;
        // Pillow takes a height as negative, rows from the top, when its highest byte says so.
        let top_down = height >> 24 == 0xff;
        let height = if top_down { height.wrapping_neg() } else { height } as usize;
        let (bits, compression) = (u16_at(28)?, u32_at(30)?);
        let colours = match u32_at(46)? {
            0 => 1 << bits.min(31),
            colours => colours as usize,
        };
        let mut header = Header {
            width: u32_at(18)? as usize,
            height,
            top_down,
            bits,
            compression,
            colours,
            entry: 4,
            masks: None,
            end,
        };
        if compression == 3 {
            // With the shortest header the masks follow it, and there is none for alpha.
            let alpha = if size >= 56 { u32_at(66)? } else { 0 };
            header.masks = Some([u32_at(54)?, u32_at(58)?, u32_at(62)?, alpha]);
            header.end += if size == 40 { 12 } else { 0 };
        }
        Ok(header)
    }

    /// Where the pixels begin.
    fn pixels_at(&self, bytes: &[u8]) -> Result<usize, Failure> {
        let raw = bytes.get(10..14).ok_or_else(Failure::truncated)?;
        let offset = u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]) as usize;
        let palette = if self.bits <= 8 { self.colours.saturating_mul(self.entry) } else { 0 };
        Ok(match offset {
            0 => self.end.saturating_add(palette),
            // Some writers forget their palette here.
            offset if offset == self.end => offset.saturating_add(palette),
            offset => offset,
        })
    }
}

/// How a raw row becomes RGB.
enum PixelFormat {
    /// Up to 8 bits: the colour of each index.
    Indexed(Box<[[u8; 3]; 256]>),
    /// One bit a pixel, whatever the header says: black and white.
    Bits,
    /// 16 bits: shift and bits of each channel.
    Packed([(u32, u32); 3]),
    /// Whole bytes: where red, green, blue and alpha lie.
    Bytes([usize; 3], Option<usize>),
}

impl PixelFormat {
    fn new(header: &Header, bytes: &[u8]) -> Result<Self, Failure> {
        let unsupported = |what: String| Err(Failure::unreadable(format!("{what} are not supported")));
        match header.compression {
            0 | 3 => {}
            1 | 2 if header.bits <= 8 => {}
            other => return unsupported(format!("its compression {other} with {} bits a pixel", header.bits)),
        }
        match (header.bits, header.masks) {
            (1 | 4 | 8, None) => {
                if header.colours == 0 || header.colours > 65536 {
                    return unsupported(format!("palettes of {} colours", header.colours));
                }
                // Indices beyond the palette are black, or grey if it only counts up.
                let mut colours = Box::new([[0; 3]; 256]);
                let palette = bytes.get(header.end..).unwrap_or_default();
                for (colour, bgr) in colours.iter_mut().zip(palette.chunks_exact(header.entry)).take(header.colours) {
                    *colour = [bgr[2], bgr[1], bgr[0]];
                }
                let known = header.colours.min(256);
                // As in Pillow: a palette of nothing but black is one of black and white, and of single bits.
                if known == 1 && palette.len() >= 3 && colours[0] == [0; 3] && header.compression == 0 {
                    return Ok(PixelFormat::Bits);
                }
                if known != 2 && (0..known).all(|i| colours[i] == [i as u8; 3]) {
                    (known..256).for_each(|i| colours[i] = [i as u8; 3]);
                }
                Ok(PixelFormat::Indexed(colours))
            }
            (16, None | Some([0x7c00, 0x3e0, 0x1f, _])) => Ok(PixelFormat::Packed([(10, 5), (5, 5), (0, 5)])),
            (16, Some([0xf800, 0x7e0, 0x1f, _])) => Ok(PixelFormat::Packed([(11, 5), (5, 6), (0, 5)])),
            (24, None | Some([0xff0000, 0xff00, 0xff, _])) => Ok(PixelFormat::Bytes([2, 1, 0], None)),
            (32, None) => Ok(PixelFormat::Bytes([2, 1, 0], None)),
            (32, Some(masks)) => Ok(match masks {
                [0xff0000, 0xff00, 0xff, 0] => PixelFormat::Bytes([2, 1, 0], None),
                [0xff000000, 0xff0000, 0xff00, 0] => PixelFormat::Bytes([3, 2, 1], None),
                [0xff000000, 0xff00, 0xff, 0] => PixelFormat::Bytes([3, 1, 0], None),
                [0xff000000, 0xff0000, 0xff00, 0xff] => PixelFormat::Bytes([3, 2, 1], Some(0)),
                [0xff, 0xff00, 0xff0000, 0xff000000] => PixelFormat::Bytes([0, 1, 2], Some(3)),
                [0xff0000, 0xff00, 0xff, 0xff000000] | [0, 0, 0, 0] => PixelFormat::Bytes([2, 1, 0], Some(3)),
                [0xff000000, 0xff00, 0xff, 0xff0000] => PixelFormat::Bytes([3, 1, 0], Some(2)),
                _ => return unsupported("its bit fields".to_string()),
            }),
            (bits, _) => unsupported(format!("{bits} bits a pixel of this kind")),
        }
    }

    fn convert(&self, raw: &[u8], bits: usize, ground: &mut Ground, row: &mut [u8]) {
        let pixels = row.chunks_exact_mut(3).enumerate();
        match self {
            PixelFormat::Indexed(colours) => pixels.for_each(|(x, pixel)| {
                let bit = x * bits;
                let index = (u16::from(raw[bit / 8]) << (bit % 8) & 0xff) >> (8 - bits);
                pixel.copy_from_slice(&colours[usize::from(index)]);
            }),
            PixelFormat::Bits => {
                pixels.for_each(|(x, pixel)| pixel.fill(if raw[x / 8] << (x % 8) & 0x80 != 0 { 255 } else { 0 }))
            }
            PixelFormat::Packed(channels) => pixels.for_each(|(x, pixel)| {
                let packed = u32::from(raw[x * 2]) | u32::from(raw[x * 2 + 1]) << 8;
                for (value, (shift, bits)) in pixel.iter_mut().zip(channels) {
                    let most = (1 << bits) - 1;
                    *value = ((packed >> shift & most) * 255 / most) as u8;
                }
            }),
            PixelFormat::Bytes(at, alpha) => pixels.for_each(|(x, pixel)| {
                let raw = &raw[x * bits / 8..][..bits / 8];
                let alpha = alpha.map_or(255, |at| raw[at]);
                pixel.copy_from_slice(&ground.pixel([raw[at[0]], raw[at[1]], raw[at[2]], alpha]));
            }),
        }
    }
}

/// Bottom row first to top row first.
fn flip(data: &mut [u8], stride: usize) {
    let rows = data.len() / stride;
    let (upper, lower) = data.split_at_mut(rows / 2 * stride);
    let skip = rows % 2 * stride;
    for (a, b) in upper.chunks_exact_mut(stride).zip(lower[skip..].chunks_exact_mut(stride).rev()) {
        a.swap_with_slice(b);
    }
}

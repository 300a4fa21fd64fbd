//! Raw rows to colours, as Pillow reads them.

use super::super::ground::Ground;

/// How a raw row becomes colours.
pub(super) enum Rows {
    /// Up to 8 bits of grey or palette index: a table from the sample to the colour.
    Table { bits: usize, colours: Box<[[u8; 4]; 256]> },
    /// 16-bit grey, of which the high byte counts, and the value that is transparent.
    Grey16 { transparent: Option<[u8; 2]> },
    /// RGB of one or two bytes a channel, of which the high one counts, and the colour that is transparent.
    Rgb { bytes: usize, transparent: Option<[u8; 3]> },
    /// Grey or RGB with alpha.
    Alpha { bytes: usize, colours: usize },
}

impl Rows {
    /// From the header's depth and kind of colour, the palette and the transparent colours.
    pub(super) fn new(depth: u8, kind: u8, palette: &[u8], transparency: Option<&[u8]>) -> Self {
        let bits = usize::from(depth);
        let bytes = bits.div_ceil(8);
        match kind {
            3 => Rows::Table { bits, colours: indexed(palette, transparency.unwrap_or_default()) },
            0 => {
                let value = transparency.and_then(|values| values.first_chunk::<2>());
                if bits == 16 {
                    return Rows::Grey16 { transparent: value.copied() };
                }
                // The low byte: Pillow compares nothing else.
                let transparent = value.map(|&[_, low]| low);
                match bits {
                    // Pillow's mode "1" knows only zero and not zero.
                    1 => {
                        Rows::Table { bits, colours: grey(255, transparent.map(|low| if low == 0 { 0 } else { 255 })) }
                    }
                    // As in Pillow, the transparent value is not scaled along with the samples.
                    _ => Rows::Table { bits, colours: grey([0, 0, 85, 0, 17, 0, 0, 0, 1][bits.min(8)], transparent) },
                }
            }
            // As in Pillow, 16-bit samples give their high byte and the transparent colour its low byte.
            2 => Rows::Rgb {
                bytes,
                transparent: transparency.and_then(|t| t.first_chunk::<6>()).map(|t| [t[1], t[3], t[5]]),
            },
            4 => Rows::Alpha { bytes, colours: 1 },
            _ => Rows::Alpha { bytes, colours: 3 },
        }
    }

    /// Appends a row as RGB on the ground.
    pub(super) fn convert(&self, row: &[u8], width: usize, ground: &mut Ground, out: &mut Vec<u8>) {
        if let Rows::Rgb { bytes: 1, transparent: None } = self {
            return out.extend_from_slice(&row[..width * 3]);
        }
        self.each(row, width, |rgba| out.extend_from_slice(&ground.pixel(rgba)));
    }

    /// Hands on every pixel of a row.
    #[inline]
    pub(super) fn each(&self, row: &[u8], width: usize, mut put: impl FnMut([u8; 4])) {
        match self {
            Rows::Table { bits: 8, colours } => {
                row[..width].iter().for_each(|&sample| put(colours[usize::from(sample)]));
            }
            Rows::Table { bits, colours } => {
                let mask = (1 << bits) - 1;
                for x in 0..width {
                    let bit = x * bits;
                    let sample = (row[bit / 8] >> (8 - bits - bit % 8)) & mask;
                    put(colours[usize::from(sample)]);
                }
            }
            Rows::Grey16 { transparent } => {
                for sample in row[..width * 2].chunks_exact(2) {
                    let clear = transparent.is_some_and(|value| sample == value);
                    put([sample[0], sample[0], sample[0], if clear { 0 } else { 255 }]);
                }
            }
            Rows::Rgb { bytes, transparent } => {
                for sample in row[..width * 3 * bytes].chunks_exact(3 * bytes) {
                    let rgb = [sample[0], sample[*bytes], sample[2 * bytes]];
                    let clear = *transparent == Some(rgb);
                    put([rgb[0], rgb[1], rgb[2], if clear { 0 } else { 255 }]);
                }
            }
            Rows::Alpha { bytes, colours } => {
                let size = (colours + 1) * bytes;
                for sample in row[..width * size].chunks_exact(size) {
                    let at = |channel: usize| sample[channel.min(colours - 1) * bytes];
                    put([at(0), at(1), at(2), sample[colours * bytes]]);
                }
            }
        }
    }
}

/// The colour of each palette index. Pillow takes entries that the palette lacks as black.
fn indexed(palette: &[u8], alpha: &[u8]) -> Box<[[u8; 4]; 256]> {
    let mut colours = Box::new([[0, 0, 0, 255]; 256]);
    for (index, colour) in colours.iter_mut().enumerate() {
        if let Some(rgb) = palette.get(index * 3..index * 3 + 3) {
            colour[..3].copy_from_slice(rgb);
        }
        colour[3] = alpha.get(index).copied().unwrap_or(255);
    }
    colours
}

/// The colour of each grey sample, of which one value may be transparent.
fn grey(scale: u8, transparent: Option<u8>) -> Box<[[u8; 4]; 256]> {
    let mut colours = Box::new([[0; 4]; 256]);
    for (sample, colour) in colours.iter_mut().enumerate() {
        let value = (sample as u8).wrapping_mul(scale);
        *colour = [value, value, value, if transparent == Some(value) { 0 } else { 255 }];
    }
    colours
}

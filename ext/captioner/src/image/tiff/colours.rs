//! Samples to colours.

use super::super::limits::Failure;
use super::directory::Directory;

/// What the samples of a pixel are.
pub(super) enum Colours {
    /// The colour of each value of one sample.
    Table {
        colours: Box<[[u8; 3]; 256]>,
        alpha: Option<Alpha>,
    },
    Rgb {
        alpha: Option<Alpha>,
    },
    Cmyk,
}

/// What the sample behind the colours means.
#[derive(Clone, Copy)]
pub(super) enum Alpha {
    /// Colours are already multiplied with it.
    Premultiplied,
    Plain,
}

impl Colours {
    pub(super) fn read(directory: &Directory<'_>, bits: usize, samples: usize) -> Result<Self, Failure> {
        let kind = directory.number(262).unwrap_or(1);
        let (needed, name) = match kind {
            0 | 1 | 3 => (1, "grey"),
            2 => (3, "RGB"),
            5 => (4, "CMYK"),
            6 => return Err(unsupported("luma and chroma")),
            8 | 9 => return Err(unsupported("CIE Lab")),
            _ => return Err(unsupported("its kind of colours")),
        };
        if samples < needed {
            return Err(Failure::unreadable(format!("it has {samples} samples a pixel, and {name} needs {needed}")));
        }
        let alpha = match directory.number(338) {
            _ if samples == needed => None,
            Some(1) => Some(Alpha::Premultiplied),
            Some(2 | 999) => Some(Alpha::Plain),
            _ => None,
        };
        Ok(match kind {
            2 => Colours::Rgb { alpha },
            5 => Colours::Cmyk,
            3 => Colours::Table { colours: palette(directory, bits)?, alpha },
            _ => Colours::Table { colours: grey(bits, kind == 0), alpha },
        })
    }

    /// RGBA from the samples of one pixel.
    #[inline]
    pub(super) fn rgba(&self, sample: impl Fn(usize) -> u8) -> [u8; 4] {
        let (colour, alpha, behind) = match self {
            Colours::Table { colours, alpha } => (colours[usize::from(sample(0))], alpha, 1),
            Colours::Rgb { alpha } => ([sample(0), sample(1), sample(2)], alpha, 3),
            Colours::Cmyk => {
                let light = 255 - sample(3);
                return [from_ink(sample(0), light), from_ink(sample(1), light), from_ink(sample(2), light), 255];
            }
        };
        let [r, g, b] = colour;
        match alpha {
            None => [r, g, b, 255],
            Some(Alpha::Plain) => [r, g, b, sample(behind)],
            Some(Alpha::Premultiplied) => {
                let alpha = sample(behind);
                let plain = |value: u8| match alpha {
                    0 => value,
                    _ => (u32::from(value) * 255 / u32::from(alpha)).min(255) as u8,
                };
                [plain(r), plain(g), plain(b), alpha]
            }
        }
    }
}

/// One channel from its ink and what black leaves over, in Pillow's integers.
fn from_ink(ink: u8, light: u8) -> u8 {
    let product = u32::from(ink) * u32::from(light) + 128;
    light - (((product >> 8) + product) >> 8) as u8
}

fn unsupported(what: &str) -> Failure {
    Failure::unreadable(format!("{what} are not supported in it"))
}

fn grey(bits: usize, inverted: bool) -> Box<[[u8; 3]; 256]> {
    let most = (1usize << bits.min(8)) - 1;
    let mut colours = Box::new([[0; 3]; 256]);
    for (sample, colour) in colours.iter_mut().enumerate() {
        let value = (sample.min(most) * 255 / most) as u8;
        *colour = [if inverted { 255 - value } else { value }; 3];
    }
    colours
}

/// The palette has all reds, all greens, all blues, of 16 bits.
fn palette(directory: &Directory<'_>, bits: usize) -> Result<Box<[[u8; 3]; 256]>, Failure> {
    let values = directory.numbers(320)?;
    let count = 1 << bits.min(8);
    if values.len() < count * 3 || bits > 8 {
        return Err(Failure::unreadable("its palette is too short"));
    }
    let mut colours = Box::new([[0; 3]; 256]);
    for (i, colour) in colours.iter_mut().enumerate().take(count) {
        *colour = [0, 1, 2].map(|channel| (values[channel * count + i] >> 8) as u8);
    }
    Ok(colours)
}

//! libavif's own conversion, for grey without alpha and for matrices that libyuv does not know.

use super::super::super::limits::Failure;
use super::super::super::memory;
use super::super::planes::Planes;
use super::super::properties::{unsupported, Description};
use super::integers::divided;
use super::Rows;

/// How the three planes stand for colours.
enum Mode {
    /// Weights of red, green and blue in luma.
    Weights([f32; 3]),
    /// Green, blue and red themselves.
    Identity,
    /// Luma and differences of green and orange.
    YCgCo,
}

pub(super) struct Floats {
    mode: Mode,
    /// Colours are divided by alpha before they are rounded, where libavif does all in one.
    divides: bool,
    most: f32,
    /// Luma and chroma of each sample.
    luma: Vec<f32>,
    chroma: Vec<f32>,
    samples: Vec<u16>,
    /// The nearer and the other row of each plane of chroma.
    rows: [[Vec<u16>; 2]; 2],
}

impl Floats {
    pub(super) fn new(planes: &Planes, description: Description) -> Result<Self, Failure> {
        let Description { matrix, full_range, .. } = description;
        let mode = match matrix {
            0 if planes.subsampling.is_none_or(|sampling| sampling == (0, 0)) => Mode::Identity,
            1 => weights(0.2126, 0.0722),
            2 | 5 | 6 => weights(0.299, 0.114),
            4 => weights(0.30, 0.11),
            7 => weights(0.212, 0.087),
            8 if full_range => Mode::YCgCo,
            9 => weights(0.2627, 0.0593),
            // Grey looks the same with any.
            12 if planes.subsampling.is_none() => weights(0.299, 0.114),
            _ => return Err(unsupported(&format!("the colour matrix {matrix}"))),
        };
        let values = 1usize << planes.depth;
        let unit = 1 << (planes.depth - 8);
        let most = (values - 1) as f32;
        let (bias, range, chroma_range) =
            if full_range { (0.0, most, most) } else { ((16 * unit) as f32, (219 * unit) as f32, (224 * unit) as f32) };
        let table = |bias: f32, range: f32| -> Result<Vec<f32>, Failure> {
            let mut table = memory::room(values)?;
            table.extend((0..values).map(|value| (value as f32 - bias) / range));
            Ok(table)
        };
        let luma = table(bias, range)?;
        let chroma = match mode {
            Mode::Identity => table(bias, range)?,
            _ => table((values / 2) as f32, chroma_range)?,
        };
        let fast = match mode {
            Mode::Weights(_) => true,
            Mode::Identity => planes.depth == 8 && full_range && planes.subsampling.is_some(),
            Mode::YCgCo => false,
        };
        let divides = !fast || planes.subsampling.is_some_and(|sampling| sampling != (0, 0));
        let columns = planes.size(1).0;
        let row = || memory::filled(0u16, columns);
        let rows = [[row()?, row()?], [row()?, row()?]];
        Ok(Floats { mode, divides, most, luma, chroma, samples: memory::filled(0u16, planes.width)?, rows })
    }

    /// Chroma at a pixel: the nearest sample, and three others that weigh less. At the edges the others are the same again.
    fn chroma(&self, plane: usize, x: usize, width: usize, across: u32) -> f32 {
        let [near, far] = &self.rows[plane];
        let value = |sample: u16| self.chroma[usize::from(sample)];
        if across == 0 {
            return value(near[x]);
        }
        let at = x / 2;
        let beside = match x % 2 {
            0 => at.saturating_sub(1),
            _ if x == width - 1 => at,
            _ => at + 1,
        };
        value(near[at]) * (9.0 / 16.0)
            + value(near[beside]) * (3.0 / 16.0)
            + value(far[at]) * (3.0 / 16.0)
            + value(far[beside]) * (1.0 / 16.0)
    }
}

fn weights(red: f32, blue: f32) -> Mode {
    Mode::Weights([red, 1.0 - red - blue, blue])
}

impl Rows for Floats {
    fn row(&mut self, planes: &Planes, y: usize, multiplied: Option<&[u16]>, rgba: &mut [u8]) {
        planes.read(0, y, &mut self.samples);
        let across = planes.subsampling.map(|(across, down)| {
            let near = y >> down;
            let far = match (down, y % 2) {
                (0, _) => near,
                (_, 0) => near.saturating_sub(1),
                _ if y == planes.height - 1 => near,
                _ => near + 1,
            };
            for (plane, rows) in self.rows.iter_mut().enumerate() {
                planes.read(plane + 1, near, &mut rows[0]);
                planes.read(plane + 1, far, &mut rows[1]);
            }
            across
        });
        for (x, (pixel, &sample)) in rgba.chunks_exact_mut(4).zip(&self.samples).enumerate() {
            let luma = self.luma[usize::from(sample)];
            let rgb = match across {
                None => [luma; 3],
                Some(across) => {
                    let (u, v) = (self.chroma(0, x, planes.width, across), self.chroma(1, x, planes.width, across));
                    match self.mode {
                        Mode::Identity => [v, luma, u],
                        Mode::YCgCo => [luma - u + v, luma + u, luma - u - v],
                        Mode::Weights([red, green, blue]) => [
                            luma + 2.0 * (1.0 - red) * v,
                            luma - (2.0 * (red * (1.0 - red) * v + blue * (1.0 - blue) * u)) / green,
                            luma + 2.0 * (1.0 - blue) * u,
                        ],
                    }
                }
            };
            let alpha = multiplied.filter(|_| self.divides).map_or(1.0, |alpha| f32::from(alpha[x]) / self.most);
            let eight = |value: f32| {
                let value = value.clamp(0.0, 1.0);
                let value = if alpha > 0.0 { (value / alpha).min(1.0) } else { 0.0 };
                (0.5 + value * 255.0) as u8
            };
            pixel[..3].copy_from_slice(&rgb.map(eight));
        }
    }

    fn divide(&self, [r, g, b, alpha]: [u8; 4]) -> [u8; 4] {
        let [r, g, b] = [r, g, b].map(|value| if self.divides { value } else { divided(value, alpha) });
        [r, g, b, alpha]
    }
}

//! libyuv's conversion: six fractional bits, for the matrices that it knows.

use super::super::super::limits::Failure;
use super::super::super::memory;
use super::super::planes::Planes;
use super::super::properties::Description;
use super::{rounded, Rows, Upsampler};

/// The factors of a matrix, times 64: of luma (times 65536 / 257 more), what is added to it, then of chroma.
struct Matrix {
    luma: u32,
    bias: i32,
    u_to_b: i32,
    u_to_g: i32,
    v_to_g: i32,
    v_to_r: i32,
}

impl Matrix {
    /// By the numbers of ITU-T H.273; None for those that libyuv does not know.
    fn find(Description { primaries, matrix, full_range }: Description) -> Option<Self> {
        let matrix = match (matrix, primaries) {
            (12, 1 | 2) => 1,
            (12, 5 | 6) => 6,
            (12, 9) => 9,
            (matrix, _) => matrix,
        };
        // libyuv keeps the first factor of limited range below 129, so that it fits a signed byte's negative.
        let [u_to_b, u_to_g, v_to_g, v_to_r, luma] = match (matrix, full_range) {
            (1, true) => [119, 12, 30, 101, 16320],
            (1, false) => [128, 14, 34, 115, 18997],
            (2 | 5 | 6, true) => [113, 22, 46, 90, 16320],
            (2 | 5 | 6, false) => [128, 25, 52, 102, 18997],
            (9, true) => [120, 11, 37, 94, 16320],
            (9, false) => [128, 12, 42, 107, 19003],
            _ => return None,
        };
        let bias = if full_range { 32 } else { -1160 };
        Some(Matrix { luma: luma as u32, bias, u_to_b, u_to_g, v_to_g, v_to_r })
    }

    /// A pixel of luma in 16 bits, and chroma in 8.
    fn rgb(&self, luma: u32, u: u16, v: u16) -> [u8; 3] {
        let luma = ((luma * self.luma) >> 16) as i32 + self.bias;
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        let values = [luma + v * self.v_to_r, luma - (u * self.u_to_g + v * self.v_to_g), luma + u * self.u_to_b];
        values.map(|value| (value >> 6).clamp(0, 255) as u8)
    }
}

pub(super) struct Integers {
    matrix: Matrix,
    /// Bits of luma and chroma while they are worked with.
    depth: u32,
    /// Alpha takes libavif's own way.
    rounds_alpha: bool,
    luma: Vec<u16>,
    chroma: [Vec<u16>; 2],
    upsampler: Upsampler,
}

impl Integers {
    /// None where libavif does not use libyuv.
    pub(super) fn new(planes: &Planes, has_alpha: bool, mut description: Description) -> Result<Option<Self>, Failure> {
        // It takes grey only where there is alpha, and then its matrix may be that of RGB.
        if planes.subsampling.is_none() {
            if !has_alpha {
                return Ok(None);
            }
            if description.matrix == 0 {
                description.matrix = 6;
            }
        }
        let Some(matrix) = Matrix::find(description) else { return Ok(None) };
        // What comes with alpha may be converted as it is, in 12 bits then with the nearest sample of chroma.
        let is_nearest = has_alpha && planes.depth == 12 && planes.subsampling == Some((1, 1));
        let is_deep = has_alpha && planes.depth == 10 && planes.subsampling.is_some();
        let depth = if is_nearest || is_deep { planes.depth } else { 8 };
        let buffer = |count: usize| memory::filled(128u16, count);
        let columns = planes.size(1).0;
        Ok(Some(Integers {
            matrix,
            depth,
            rounds_alpha: planes.subsampling.is_none() || is_nearest,
            luma: buffer(planes.width)?,
            chroma: [buffer(planes.width)?, buffer(planes.width)?],
            upsampler: Upsampler::new(buffer(columns)?, buffer(columns)?, planes.depth - depth, is_nearest),
        }))
    }
}

impl Rows for Integers {
    fn row(&mut self, planes: &Planes, y: usize, _: Option<&[u16]>, rgba: &mut [u8]) {
        planes.read(0, y, &mut self.luma);
        if planes.subsampling.is_some() {
            for (i, wide) in self.chroma.iter_mut().enumerate() {
                self.upsampler.row(planes, i + 1, y, wide);
            }
        }
        let dropped = planes.depth - self.depth;
        let pixels = rgba.chunks_exact_mut(4).zip(&self.luma).zip(self.chroma[0].iter().zip(&self.chroma[1]));
        for ((pixel, &luma), (&u, &v)) in pixels {
            let luma = u32::from(luma >> dropped);
            let rgb = match self.depth {
                8 => self.matrix.rgb(luma * 0x101, u, v),
                10 => self.matrix.rgb(luma << 6 | luma >> 4, u >> 2, v >> 2),
                _ => self.matrix.rgb(luma << 4 | luma >> 8, u >> 4, v >> 4),
            };
            pixel[..3].copy_from_slice(&rgb);
        }
    }

    fn alpha(&self, sample: u16, depth: u32) -> u8 {
        if self.rounds_alpha {
            return rounded(sample, depth);
        }
        (sample >> (depth - 8)) as u8
    }
}

/// A channel without the alpha that it was multiplied with.
pub(super) fn divided(value: u8, alpha: u8) -> u8 {
    let reciprocal = match alpha {
        0 => 0,
        1 => 0xffff,
        255 => 0x100,
        alpha => 0x10000 / u32::from(alpha),
    };
    ((u32::from(value) * 0x101 * reciprocal) >> 16).min(255) as u8
}

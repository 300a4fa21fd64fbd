//! Pillow's resampler for 8 bits a channel, bit for bit (libImaging/Resample.c; Geometry.c for nearest).
//!
//! Two passes. Each output sample is a sum of input samples times coefficients of 22 fractional bits, rounded and
//! clipped to 8 bits after each pass, so the order of the passes shows in the result. Both passes see whole images here,
//! so no row of the first one goes unused.

use super::RgbImage;
use crate::error::{Error, Result};

mod passes;

/// Pillow's `PRECISION_BITS`: 32 less eight of the result and two for sums outside of it.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// A resampling filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The nearest input pixel.
    Nearest,
    /// A windowed sinc of three lobes.
    Lanczos,
    /// A triangle.
    Bilinear,
    /// Keys' cubic with a = -0.5.
    Bicubic,
}

impl Filter {
    /// From the number that Pillow and the `resample` entry of preprocessor_config.json use.
    pub fn from_pillow(code: u64) -> Result<Self> {
        match code {
            0 => Ok(Filter::Nearest),
            1 => Ok(Filter::Lanczos),
            2 => Ok(Filter::Bilinear),
            3 => Ok(Filter::Bicubic),
            _ => Err(Error::InvalidArgument(format!(
                "resample {code} is not supported; use 0 (nearest), 1 (lanczos), 2 (bilinear) or 3 (bicubic)"
            ))),
        }
    }

    /// How far the filter reaches, in input pixels when enlarging and in output pixels when reducing.
    fn support(self) -> f64 {
        match self {
            Filter::Nearest => 0.5,
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            Filter::Nearest => f64::from(x > -0.5 && x <= 0.5),
            Filter::Bilinear => (1.0 - x.abs()).max(0.0),
            Filter::Bicubic => match x.abs() {
                x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
                x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
                _ => 0.0,
            },
            Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Filter::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
}

/// The coefficients of one direction, made one output position at a time: for an extreme ratio all of them together
/// would take more memory than the image.
struct Taps {
    filter: Filter,
    input: usize,
    scale: f64,
    filter_scale: f64,
    weights: Vec<f64>,
    fixed: Vec<i32>,
}

impl Taps {
    fn new(filter: Filter, input: usize, output: usize) -> Self {
        let scale = input as f64 / output as f64;
        Taps { filter, input, scale, filter_scale: scale.max(1.0), weights: Vec::new(), fixed: Vec::new() }
    }

    /// The first input position and the coefficients for one output position.
    fn at(&mut self, position: usize) -> (usize, &[i32]) {
        let support = self.filter.support() * self.filter_scale;
        let inverse = 1.0 / self.filter_scale;
        let center = (position as f64 + 0.5) * self.scale;
        // Casts to integers truncate and saturate at zero, which is what clipping to the image needs.
        let start = (center - support + 0.5) as usize;
        let end = ((center + support + 0.5) as usize).min(self.input);
        self.weights.clear();
        let mut sum = 0.0;
        for i in 0..end.saturating_sub(start) {
            let weight = self.filter.weight((i as f64 + start as f64 - center + 0.5) * inverse);
            self.weights.push(weight);
            sum += weight;
        }
        let one = f64::from(1u32 << PRECISION_BITS);
        self.fixed.clear();
        self.fixed.extend(self.weights.iter().map(|&weight| {
            let weight = if sum == 0.0 { weight } else { weight / sum };
            (weight * one + if weight < 0.0 { -0.5 } else { 0.5 }) as i32
        }));
        (start, &self.fixed)
    }
}

/// Resizes to exactly `width` x `height`. A pass whose size does not change is skipped.
pub fn resize(image: &RgbImage, width: u32, height: u32, filter: Filter) -> RgbImage {
    let (w, h) = (width as usize, height as usize);
    let (from_w, from_h) = (image.width as usize, image.height as usize);
    if w * h == 0 || from_w * from_h == 0 {
        return RgbImage { width, height, data: vec![0; w * h * 3] };
    }
    if filter == Filter::Nearest {
        return nearest(image, width, height);
    }
    let columns = |data: &[u8], rows| passes::horizontal(data, from_w, rows, w, Taps::new(filter, from_w, w));
    let rows = |data: &[u8], width| passes::vertical(data, width, h, Taps::new(filter, from_h, h));
    let data = match (w != from_w, h != from_h) {
        (false, false) => image.data.clone(),
        (true, false) => columns(&image.data, h),
        (false, true) => rows(&image.data, w),
        (true, true) if vertical_first((from_w, from_h), (w, h)) => columns(&rows(&image.data, from_w), h),
        (true, true) => rows(&columns(&image.data, from_h), w),
    };
    RgbImage { width, height, data }
}

/// Pillow 13.0 makes the vertical pass first where the height falls by more than twice what the width falls; 11.3 and
/// 12.0 always made the horizontal one first. (Found by comparing with both orders over thousands of sizes.)
fn vertical_first(from: (usize, usize), to: (usize, usize)) -> bool {
    let narrower = from.0 as i64 - to.0 as i64;
    to.1 < from.1 && (from.1 - to.1) as i64 > 2 * narrower
}

/// Pillow adds up the step in f64, so the positions are added up here too.
fn nearest(image: &RgbImage, width: u32, height: u32) -> RgbImage {
    let positions = |input: u32, output: u32| {
        let step = f64::from(input) / f64::from(output);
        let mut at = step * 0.5;
        (0..output)
            .map(|_| {
                let position = (at as usize).min(input as usize - 1);
                at += step;
                position
            })
            .collect::<Vec<_>>()
    };
    let (columns, rows) = (positions(image.width, width), positions(image.height, height));
    let mut data = Vec::with_capacity(columns.len() * rows.len() * 3);
    for y in rows {
        let row = &image.data[y * image.width as usize * 3..][..image.width as usize * 3];
        columns.iter().for_each(|&x| data.extend_from_slice(&row[x * 3..x * 3 + 3]));
    }
    RgbImage { width, height, data }
}

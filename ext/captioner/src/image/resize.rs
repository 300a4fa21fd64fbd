//! Pillow's resampler for 8 bits a channel, bit for bit (libImaging/Resample.c; Geometry.c for nearest).
//!
//! Two passes. Each output sample is a sum of input samples times coefficients of 22 fractional bits, rounded and
//! clipped to 8 bits after each pass, so the order of the passes shows in the result. No output depends on another, so a
//! part of a resized image is made from the part of the image that it reads.

use std::ops::Range;

use super::crop::{rectangle, Region};
use super::memory::{self, OutOfMemory};
use super::RgbImage;
use crate::error::{Error, Result};

mod passes;
mod taps;

use taps::{Axis, Taps};

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

/// Resizes to exactly `width` x `height`. A pass whose size does not change is skipped.
///
/// # Errors
/// `InvalidArgument` if one of the sides is zero; `ImageTooLarge` if there is no memory for it.
pub fn resize(image: &RgbImage, width: u32, height: u32, filter: Filter) -> Result<RgbImage> {
    resize_region(image, width, height, Region::whole(width, height), filter)
}

/// One region of the image resized to `full_width` x `full_height`: the very values that resizing the whole and cropping
/// it gives, for the work and the memory of the region.
///
/// # Errors
/// `InvalidArgument` if the image or the region is empty or the region reaches beyond the full size; `ImageTooLarge` if
/// there is no memory for it.
pub fn resize_region(
    image: &RgbImage,
    full_width: u32,
    full_height: u32,
    region: Region,
    filter: Filter,
) -> Result<RgbImage> {
    let (columns, rows) = region.inside(full_width, full_height)?;
    Region::whole(image.width, image.height).inside(image.width, image.height)?;
    let columns = Axis { from: image.width as usize, to: full_width as usize, wanted: columns };
    let rows = Axis { from: image.height as usize, to: full_height as usize, wanted: rows };
    let data = if filter == Filter::Nearest {
        nearest(image, &columns, &rows)?
    } else {
        resample(image, &columns, &rows, filter)?
    };
    Ok(RgbImage { width: region.width, height: region.height, data })
}

fn resample(
    image: &RgbImage,
    columns: &Axis,
    rows: &Axis,
    filter: Filter,
) -> std::result::Result<Vec<u8>, OutOfMemory> {
    let (xs, ys) = (columns.inputs(filter), rows.inputs(filter));
    let stride = columns.from * 3;
    let cropped;
    let read: &[u8] = if xs == (0..columns.from) {
        &image.data[ys.start * stride..ys.end * stride]
    } else {
        cropped = rectangle(image, xs.clone(), ys.clone())?;
        &cropped
    };
    let (width, height) = (columns.wanted.len(), rows.wanted.len());
    let across = |data: &[u8], rows: usize| {
        passes::horizontal(data, xs.len(), rows, width, Taps::new(filter, columns, xs.start))
    };
    let down = |data: &[u8], width: usize| passes::vertical(data, width, height, Taps::new(filter, rows, ys.start));
    match (columns.changes(), rows.changes()) {
        (false, false) => {
            let mut copy = memory::room(read.len())?;
            copy.extend_from_slice(read);
            Ok(copy)
        }
        (true, false) => across(read, height),
        (false, true) => down(read, width),
        (true, true) if vertical_first(columns, rows) => across(&down(read, xs.len())?, height),
        (true, true) => down(&across(read, ys.len())?, width),
    }
}

/// Pillow 13.0 makes the vertical pass first where the height falls by more than twice what the width falls; 11.3 and
/// 12.0 always made the horizontal one first. (Found by comparing with both orders over thousands of sizes.)
fn vertical_first(columns: &Axis, rows: &Axis) -> bool {
    let narrower = columns.from as i64 - columns.to as i64;
    rows.to < rows.from && (rows.from - rows.to) as i64 > 2 * narrower
}

/// Pillow adds up the step in f64, so the positions are added up here too.
fn nearest(image: &RgbImage, columns: &Axis, rows: &Axis) -> std::result::Result<Vec<u8>, OutOfMemory> {
    let positions = |axis: &Axis| -> std::result::Result<Vec<usize>, OutOfMemory> {
        let Range { start, end } = axis.wanted;
        let mut positions = memory::room(end - start)?;
        let step = axis.from as f64 / axis.to as f64;
        let mut at = step * 0.5;
        for i in 0..end {
            if i >= start {
                positions.push((at as usize).min(axis.from - 1));
            }
            at += step;
        }
        Ok(positions)
    };
    let (columns, rows) = (positions(columns)?, positions(rows)?);
    let mut data = memory::room(columns.len() * rows.len() * 3)?;
    for y in rows {
        let row = &image.data[y * image.width as usize * 3..][..image.width as usize * 3];
        columns.iter().for_each(|&x| data.extend_from_slice(&row[x * 3..x * 3 + 3]));
    }
    Ok(data)
}

#[cfg(test)]
mod tests;

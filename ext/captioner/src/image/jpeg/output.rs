//! Samples to RGB: upsampling and colours of libjpeg-turbo (jdsample.c, jdmainct.c, jdcolor.c), then Pillow's CMYK
//! (JpegImagePlugin.py takes it as inverted; libImaging/Convert.c).

use super::super::context::Context;
use super::super::limits::Failure;
use super::super::memory;
use super::{Component, Frame};

/// What the components are.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Colours {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

impl Colours {
    /// As libjpeg decides it when the first scan begins.
    pub(super) fn of(frame: &Frame, jfif: bool, adobe: Option<u8>) -> Self {
        let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
        match (ids.len(), jfif, adobe) {
            (1, ..) => Colours::Grey,
            (3, true, _) => Colours::YCbCr,
            (3, false, Some(0)) => Colours::Rgb,
            (3, false, None) if ids == *b"RGB" => Colours::Rgb,
            (3, ..) => Colours::YCbCr,
            (_, _, None | Some(0)) => Colours::Cmyk,
            _ => Colours::Ycck,
        }
    }
}

/// The whole picture.
pub(super) fn rgb(frame: &Frame, colours: Colours, context: &Context<'_>) -> Result<Vec<u8>, Failure> {
    let mut data = memory::filled(0, frame.width * frame.height * 3)?;
    // Room for the widest row that upsampling can write.
    let mut rows = vec![vec![0u8; frame.units().0 * frame.h_max * 8]; frame.components.len()];
    for (y, target) in data.chunks_exact_mut(frame.width * 3).enumerate() {
        if y % 64 == 0 {
            context.go_on()?;
        }
        for (row, component) in rows.iter_mut().zip(&frame.components) {
            upsample(frame, component, y, row);
        }
        let pixels = target.chunks_exact_mut(3);
        match (colours, &rows[..]) {
            (Colours::Grey, [grey]) => pixels.zip(grey).for_each(|(pixel, &grey)| pixel.fill(grey)),
            (Colours::Rgb, [r, g, b]) => pixels.zip(r.iter().zip(g.iter().zip(b))).for_each(|(pixel, (r, (g, b)))| {
                pixel.copy_from_slice(&[*r, *g, *b]);
            }),
            (Colours::YCbCr, [y, cb, cr]) => {
                for (pixel, (y, (cb, cr))) in pixels.zip(y.iter().zip(cb.iter().zip(cr))) {
                    pixel.copy_from_slice(&from_ycc(*y, *cb, *cr).map(clip));
                }
            }
            (_, [c, m, y, k]) => {
                for (x, pixel) in pixels.enumerate() {
                    let mut ink = [c[x], m[x], y[x]];
                    if colours == Colours::Ycck {
                        ink = from_ycc(c[x], m[x], y[x]).map(|value| clip(255 - value));
                    }
                    pixel.copy_from_slice(&ink.map(|ink| from_ink(255 - ink, k[x])));
                }
            }
            _ => {}
        }
    }
    Ok(data)
}

fn clip(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}

/// JFIF luma and chroma to red, green and blue, in 16 fractional bits.
#[inline]
fn from_ycc(y: u8, cb: u8, cr: u8) -> [i32; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    [y + ((91881 * cr + HALF) >> 16), y + ((-22554 * cb - 46802 * cr + HALF) >> 16), y + ((116130 * cb + HALF) >> 16)]
}

/// One channel from its ink and what black leaves over.
#[inline]
fn from_ink(ink: u8, light: u8) -> u8 {
    let product = u32::from(ink) * u32::from(light) + 128;
    light - (((product >> 8) + product) >> 8) as u8
}

/// Row `y` of the picture from one component, at full width.
fn upsample(frame: &Frame, component: &Component, y: usize, out: &mut [u8]) {
    let stride = component.block_columns * 8;
    let row = |y: usize| &component.samples[y * stride..][..component.width];
    let (h, v) = (frame.h_max / component.h, frame.v_max / component.v);
    let at = y / v;
    // The row on the other side of this row of the picture. Beyond the edge the last row repeats.
    let other = match y % v {
        0 => at.saturating_sub(1),
        _ => (at + 1).min(component.height - 1),
    };
    match (h, v) {
        (1, 1) => out[..component.width].copy_from_slice(row(at)),
        (1, 2) => {
            let bias = 1 + (y % 2) as u32;
            for (out, (&near, &far)) in out.iter_mut().zip(row(at).iter().zip(row(other))) {
                *out = ((u32::from(near) * 3 + u32::from(far) + bias) >> 2) as u8;
            }
        }
        // Narrower components are repeated like all other ratios.
        (2, 1) if component.width > 2 => triangle(row(at).iter().map(|&value| value.into()), 2, [1, 2], out),
        (2, 2) if component.width > 2 => {
            let columns = row(at).iter().zip(row(other));
            let sums = columns.map(|(&near, &far)| u32::from(near) * 3 + u32::from(far));
            triangle(sums, 4, [8, 7], out);
        }
        _ => {
            for (out, &value) in out.chunks_exact_mut(h).zip(row(at)) {
                out.fill(value);
            }
        }
    }
}

/// Doubles a row: each value gives two, three quarters of itself and a quarter of its neighbour. `bits` are dropped at
/// the end; the rounding alternates between left and right.
fn triangle(mut values: impl Iterator<Item = u32>, bits: u32, bias: [u32; 2], out: &mut [u8]) {
    let Some(mut this) = values.next() else { return };
    // Beyond the ends a value is its own neighbour.
    let mut last = this;
    let mut pairs = out.chunks_exact_mut(2);
    let mut put = |last: u32, this: u32, next: u32| {
        if let Some(pair) = pairs.next() {
            pair[0] = ((this * 3 + last + bias[0]) >> bits) as u8;
            pair[1] = ((this * 3 + next + bias[1]) >> bits) as u8;
        }
    };
    for next in values {
        put(last, this, next);
        (last, this) = (this, next);
    }
    put(last, this, this);
}

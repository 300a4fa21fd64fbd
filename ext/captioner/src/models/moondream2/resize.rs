//! libvips' `resize` of u8 pixels, bit for bit (8.14 to 8.18, kernel lanczos3): what the published moondream2 makes its crops with.
//!
//! Neither Pillow's nor a textbook's: masks in 64 phases of 12 fractional bits, cut and not rounded, and an enlargement that
//! lies half a source pixel off. Rows are reduced first, then columns; what is still too small is enlarged in both at once.

mod enlarge;
mod reduce;

use crate::image::RgbImage;
use enlarge::enlarge;
use reduce::Reduction;

/// Phases of a mask between two source pixels.
const PHASES: usize = 64;
/// Fractional bits of a mask's coefficients.
const BITS: u32 = 12;
/// Half of one, added before the fraction is cut off.
const HALF: i32 = 1 << (BITS - 1);

/// Resizes to exactly `width` x `height`, which must not be zero; nor may the image's sides.
pub(super) fn resize(image: &RgbImage, width: u32, height: u32) -> RgbImage {
    let (across, down) = (scale(image.width, width), scale(image.height, height));
    let (from, to) = (image.width as usize, width as usize);
    let (mut data, mut now) = (std::borrow::Cow::Borrowed(image.data.as_slice()), (image.width, image.height));
    if down < 1.0 {
        data = Reduction::new(image.height as usize, height as usize, down).rows(&data, from * 3).into();
        now.1 = height;
    }
    if across < 1.0 {
        data = Reduction::new(from, to, across).columns(&data, from).into();
        now.0 = width;
    }
    let data = match now == (width, height) {
        true => data.into_owned(),
        false => {
            enlarge(&data, (now.0 as usize, now.1 as usize), (to, height as usize), (across.max(1.0), down.max(1.0)))
        }
    };
    RgbImage { width, height, data }
}

fn scale(from: u32, to: u32) -> f64 {
    f64::from(to) / f64::from(from)
}

/// The source pixel and the phase for a continuous position.
fn place(position: f64) -> (usize, usize) {
    let steps = (position * (2 * PHASES) as f64) as usize;
    (position as usize, ((steps & (2 * PHASES - 1)) + 1) >> 1)
}

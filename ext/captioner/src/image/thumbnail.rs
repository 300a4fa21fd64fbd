//! Small copies of images, for people to look at.

use png::{BitDepth, ColorType, Compression, Encoder, Filter as RowFilter};

use super::{resize, Filter, RgbImage};
use crate::error::{Error, Result};

/// Bits that are kept of a channel: the eye misses none of the others in a small picture, and the file halves.
const BITS: u8 = 5;

/// A PNG of the image, made smaller so that neither side is longer than `side` pixels.
///
/// # Errors
/// `Internal` if it cannot be written, which no image is known to cause.
pub fn thumbnail(image: &RgbImage, side: u32) -> Result<Vec<u8>> {
    let scale = (f64::from(side) / f64::from(image.width.max(image.height))).min(1.0);
    let length = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let mut small = resize(image, length(image.width), length(image.height), Filter::Bicubic)?;
    let (mask, middle) = (!0u8 << (8 - BITS), 1 << (7 - BITS));
    small.data.iter_mut().for_each(|value| *value = *value & mask | middle);
    png(&small).map_err(|error| Error::Internal(format!("a thumbnail cannot be written: {error}")))
}

fn png(image: &RgbImage) -> std::result::Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, image.width, image.height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::High);
    encoder.set_filter(RowFilter::Adaptive);
    encoder.write_header()?.write_image_data(&image.data)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{load_bytes, Limits};

    fn gradient(width: u32, height: u32) -> RgbImage {
        let data = (0..width * height).flat_map(|at| [(at % width) as u8, (at / width) as u8, 128]).collect();
        RgbImage { width, height, data }
    }

    fn made(width: u32, height: u32, side: u32) -> RgbImage {
        let bytes = thumbnail(&gradient(width, height), side).unwrap();
        load_bytes(&bytes, &Limits { max_pixels: 1 << 20, ..Limits::default() }).unwrap()
    }

    #[test]
    fn keeps_the_proportions_and_never_enlarges() {
        for ((width, height), (small_width, small_height)) in
            [((200, 100), (50, 25)), ((100, 200), (25, 50)), ((40, 30), (40, 30)), ((1000, 2), (50, 1))]
        {
            let small = made(width, height, 50);
            assert_eq!((small.width, small.height), (small_width, small_height));
        }
    }

    #[test]
    fn looks_like_the_image() {
        let (image, small) = (gradient(60, 40), made(60, 40, 60));
        let off = image.data.iter().zip(&small.data).map(|(one, other)| one.abs_diff(*other)).max();
        assert!(off.unwrap() <= 4, "{off:?}");
    }
}

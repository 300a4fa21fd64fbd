//! From the bytes of an untrusted image to the tensor that a vision tower reads.
//!
//! The pixels are Pillow's: the conversions of its `Image.convert`, its `alpha_composite` over white and its resampler,
//! so that a caption does not depend on which side prepared the image. The first frame of an animation is taken and no
//! EXIF rotation is applied.

mod bmp;
mod crop;
mod gif;
mod jpeg;
mod limits;
mod load;
mod memory;
mod over_white;
mod pixels;
mod png;
mod resize;
mod thumbnail;
mod webp;

pub use crop::{crop, Region};
pub use limits::Limits;
pub use load::{load_bytes, load_bytes_as, load_path};
pub use pixels::pixels;
pub use resize::{resize, resize_region, Filter};
pub use thumbnail::thumbnail;

/// An image of 8-bit red, green and blue, interleaved, rows from top to bottom without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbImage {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub data: Vec<u8>,
}

//! From the bytes of an untrusted image to the tensor that a vision tower reads.
//!
//! The pixels are Pillow's: the conversions of its `Image.convert`, its `alpha_composite` over white and its resampler,
//! so that a caption does not depend on which side prepared the image. Where Pillow's answer would be of no use to a reader
//! of the caption, it is left: see docs/parity-images.md.

mod avif;
mod bmp;
mod context;
mod crop;
mod format;
mod frames;
mod gif;
mod ground;
mod jpeg;
mod limits;
mod load;
mod memory;
mod orientation;
mod pixels;
mod png;
mod resize;
mod thumbnail;
mod tiff;
mod webp;

pub use avif::watch_panics;
pub use crop::{crop, Region};
pub use limits::Limits;
pub use load::{load_bytes, load_bytes_as, load_bytes_until, load_path, load_path_until, read_path};
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

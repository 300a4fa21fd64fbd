//! `MemeCaptioner::Native::Image`: an image that is still to be read.

use captioner::captioner::Input;
use captioner::image::Limits;
use magnus::{function, prelude::*, Error, RModule, RString, Ruby};

use crate::helpers::{classes::wrapped, paths::path};

/// Where an image comes from, and what it may cost.
#[magnus::wrap(class = "MemeCaptioner::Native::Image", free_immediately, frozen_shareable)]
pub struct Image {
    pub input: Input,
    pub limits: Limits,
}

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = wrapped::<Image>(ruby, native, "Image")?;
    class.define_singleton_method("path", function!(from_path, 3))?;
    class.define_singleton_method("bytes", function!(from_bytes, 3))
}

/// `Image.path(path, max_pixels, apply_orientation)`: no I/O yet.
fn from_path(image: RString, max_pixels: u64, apply_orientation: bool) -> Image {
    Image { input: Input::Path(path(image)), limits: Limits { max_pixels, apply_orientation } }
}

/// `Image.bytes(bytes, max_pixels, apply_orientation)`
fn from_bytes(bytes: RString, max_pixels: u64, apply_orientation: bool) -> Image {
    // SAFETY: copied before Ruby runs again.
    let bytes = unsafe { bytes.as_slice() }.to_vec();
    Image { input: Input::Bytes(bytes), limits: Limits { max_pixels, apply_orientation } }
}

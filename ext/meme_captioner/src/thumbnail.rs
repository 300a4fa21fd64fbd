//! `Native.thumbnail`: a small copy of an image file.

use captioner::image::{load_path_until, thumbnail as small, Limits};
use captioner::runtime;
use magnus::{function, prelude::*, Error, RModule, RString, Ruby};

use crate::helpers::{errors::to_ruby, gvl, paths::path};

pub fn init(native: RModule) -> Result<(), Error> {
    native.define_singleton_method("thumbnail", function!(thumbnail, 4))
}

/// `thumbnail(path, side, max_pixels, apply_orientation)`: the bytes of a PNG whose longer side has at most `side` pixels.
fn thumbnail(
    ruby: &Ruby,
    image: RString,
    side: u32,
    max_pixels: u64,
    apply_orientation: bool,
) -> Result<RString, Error> {
    let (image, limits) = (path(image), Limits { max_pixels, apply_orientation });
    let pool = runtime::pool().map_err(|error| to_ruby(ruby, &error))?;
    let bytes = gvl::release(ruby, |stop| {
        let image = load_path_until(&image, &limits, stop)?;
        pool.install(|| small(&image, side))
    })?;
    Ok(ruby.str_from_slice(&bytes))
}

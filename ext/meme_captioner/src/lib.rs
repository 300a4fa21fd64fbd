//! The Ruby binding of `captioner`: `MemeCaptioner::Native`. Positional arguments only; keywords, defaults and metadata
//! live in Ruby (`lib/meme_captioner`).

mod built_for;
mod cache;
mod helpers;
mod hub;
mod image;
mod model;
mod packing;
mod thumbnail;

use magnus::{Error, Module, Ruby};

/// Defines `MemeCaptioner::Native`.
#[magnus::init]
fn init(ruby: &Ruby) -> Result<(), Error> {
    built_for::check(ruby)?;
    captioner::prepare();
    let native = ruby.define_module("MemeCaptioner")?.define_module("Native")?;
    image::init(ruby, native)?;
    model::init(ruby, native)?;
    cache::init(native)?;
    packing::init(native)?;
    hub::init(native)?;
    thumbnail::init(native)
}

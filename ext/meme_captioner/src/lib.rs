//! The Ruby binding of `captioner`: `MemeCaptioner::Native`. Positional arguments only; keywords, defaults and metadata
//! live in Ruby (`lib/meme_captioner`).

mod built_for;
mod helpers;
mod hub;
mod model;
mod thumbnail;

use magnus::{Error, Module, Ruby};

/// Defines `MemeCaptioner::Native`.
#[magnus::init]
fn init(ruby: &Ruby) -> Result<(), Error> {
    built_for::check(ruby)?;
    captioner::cache::survive_forks();
    let native = ruby.define_module("MemeCaptioner")?.define_module("Native")?;
    model::init(ruby, native)?;
    hub::init(native)?;
    thumbnail::init(native)
}

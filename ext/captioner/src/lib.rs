//! Image captioning on the CPU: bytes of an image in, a sentence out. Pure Rust; the Ruby binding is a crate of its own.
//!
//! A caption's way: [`captioner`] → [`image`] → [`models`] (vision tower, connector, encoder or prefill) → [`generate`] →
//! [`text`].

pub mod blocks;
pub mod cache;
pub mod captioner;
pub mod error;
mod foreign;
pub mod generate;
pub mod hub;
pub mod image;
pub mod kernels;
pub mod models;
pub mod nn;
pub mod quant;
mod random;
pub mod runtime;
mod shards;
pub mod store;
pub mod text;
pub mod weights;

pub use error::{Error, Result};

/// To be called once a process, before it has threads that caption: what this library makes only once is made here, as a child that
/// is forked in the middle of that would wait for its end for ever. What `tokenizers` makes at the first words of a caller's is not.
pub fn prepare() {
    cache::survive_forks();
    kernels::Isa::current();
    quant::dynamic::prepare();
    image::watch_panics();
}

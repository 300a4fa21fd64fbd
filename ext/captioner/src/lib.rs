//! Image captioning on the CPU: bytes of an image in, a sentence out. Pure Rust; the Ruby binding is a crate of its own.
//!
//! A caption's way: [`captioner`] → [`image`] → [`models`] (vision tower, projector, encoder) → [`generate`] → text.

pub mod error;
pub mod kernels;

pub use error::{Error, Result};

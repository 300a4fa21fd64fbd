//! The families of models, behind one seam: what is above this folder names no family, only [`Model`] and [`Family`].

mod export;
mod family;
mod files;
mod model;
mod normalization;
mod packing;
mod parts;

pub mod florence2;
pub mod moondream2;
pub mod smolvlm;

pub use export::export;
pub use family::Family;
pub use model::{Advance, Encoding, Model, Phase, Request};
pub use packing::{family, load, own_recipe, pack};
pub use parts::Parts;

/// Every family that this version reads.
pub static FAMILIES: &[&Family] = &[&florence2::FAMILY, &smolvlm::FAMILY, &moondream2::FAMILY];

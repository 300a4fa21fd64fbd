//! Model families. Each knows [`crate::nn`], [`crate::generate`] and [`crate::weights`]; nothing below knows a family.

pub mod florence2;
pub mod moondream2;

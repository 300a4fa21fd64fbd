//! moondream2, revision 2025-01-09: an image in, a sentence out.

mod crops;
mod resize;

pub use crops::{Cropping, Crops, Tiling};

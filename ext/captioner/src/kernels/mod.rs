//! Arithmetic on plain `f32` slices, chosen at run time for the CPU at hand. Rows are tokens, columns are channels,
//! everything is row-major. Nothing here knows a layer or a model.

mod attention;
mod convolution;
mod elementwise;
mod matmul;
mod matrix;
mod norm;

pub use attention::{attend, attend_cached, attend_channels, Heads};
pub use convolution::{depthwise_3x3_residual, Patches};
pub use elementwise::{add, erf, exp, gelu, softmax};
pub use matmul::{dot, matmul, Epilogue};
pub use matrix::{Buffer, Matrix, Storage};
pub use norm::layer_norm;

/// Rows of activations that one task works on at a time: small enough that a tile's intermediates stay in the cache,
/// large enough that unpacking a weight panel is paid for.
pub const TILE_ROWS: usize = 512;

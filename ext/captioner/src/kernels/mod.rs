//! Arithmetic on plain `f32` slices, chosen at run time for the CPU at hand. Rows are tokens, columns are channels,
//! everything is row-major. Nothing here knows a layer or a model.

/// Calls the kernel for the number of rows that there are, or for the most that it takes:
/// `by_rows!(rows, [1 2 3] 4, tile(arguments))`.
macro_rules! by_rows {
    ($rows:expr, [$($few:literal)*] $most:literal, $kernel:ident $arguments:tt) => {
        match $rows {
            $($few => $kernel::<$few> $arguments,)*
            _ => $kernel::<$most> $arguments,
        }
    };
}

mod attention;
mod compute;
mod convolution;
mod dot;
mod elementwise;
mod epilogue;
mod f32_rows;
mod few_rows;
mod isa;
mod matmul;
mod matrix;
#[cfg(target_arch = "aarch64")]
mod neon;
mod norm;
mod pairs;
mod panels;
mod product;
mod ready;
mod rope;
mod scratch;
mod simd;

pub use attention::{
    add_channel_scores, attend_prefixed, attend_shared, attend_streamed, attend_written, mix_channels, turn_keys, Keys,
    Mask, Streamed, Written,
};
pub use compute::Compute;
pub use convolution::{depthwise_3x3_residual, Patches};
pub use dot::dot;
pub use elementwise::{add, gelu, gelu_tanh, log_sum_exp, max, multiply, silu, softmax};
pub use epilogue::Epilogue;
pub use few_rows::{Job, Regime, FEW_ROWS};
pub use isa::Isa;
pub use matmul::{matmul, matmul_each};
pub use matrix::{ActivationScales, Arithmetic, BlockScales, Buffer, Matrix, Storage};
pub use norm::{layer_norm, rms_norm};
pub use product::Element;
pub use ready::{multiply_each, Piece, Ready};
pub use rope::rotate;
pub use scratch::Scratch;

/// Rows of activations that one task works on at a time: few enough that a tile's intermediates stay in the cache,
/// enough to pay for unpacking a weight panel. A constant, so that sums over tiles do not depend on the thread count.
pub const TILE_ROWS: usize = 96;

//! Layers: weights plus the kernels that use them. Activations are `[rows, channels]` tensors of `f32` on the CPU.

mod attention;
mod convolution;
mod embedding;
mod linear;
mod mlp;
mod norm;
mod tensor;

pub use attention::{CachedAttention, ChannelAttention, RowCache, SelfAttention, WindowAttention};
pub use convolution::{DepthwiseConv, PatchConv};
pub use embedding::Embedding;
pub use linear::Linear;
pub use mlp::{Activation, Mlp};
pub use norm::LayerNorm;
pub use tensor::{add, concat, in_place, map_rows, rows, with_values};

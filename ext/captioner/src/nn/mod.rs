//! Layers: weights plus the kernels that use them. Activations are `[rows, channels]` tensors of `f32` on the CPU.

mod convolution;
mod embedding;
mod linear;
mod mlp;
mod norm;
mod tensor;
mod text_attention;
mod vision_attention;

use tensor::even_tile;

pub use convolution::{DepthwiseConv, PatchConv};
pub use embedding::Embedding;
pub use linear::{Linear, ReadyLinear};
pub use mlp::{Activation, Mlp};
pub use norm::LayerNorm;
pub use tensor::{add, concat, in_place, map_rows, rows, with_values};
pub use text_attention::{CachedAttention, CrossAttention, RowCache, SelfAttention, SharedCache};
pub use vision_attention::{ChannelAttention, WindowAttention};

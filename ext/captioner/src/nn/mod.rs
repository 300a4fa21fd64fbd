//! Layers: weights plus the kernels that use them. Activations are `[rows, channels]` tensors of `f32` on the CPU.

mod attention;
mod cache;
mod causal_attention;
mod convolution;
mod embedding;
mod linear;
mod mlp;
mod norm;
mod projections;
mod rope;
mod tensor;
mod text_attention;
mod vision_attention;

use tensor::even_tile;

pub use attention::Attention;
pub use cache::{RowCache, SharedCache};
pub use causal_attention::CausalAttention;
pub use convolution::{DepthwiseConv, PatchConv};
pub use embedding::Embedding;
pub use linear::{Linear, ReadyLinear};
pub use mlp::{Activation, GatedMlp, Mlp, ReadyMlp};
pub use norm::{LayerNorm, Norm, RmsNorm};
pub use projections::{HeadShape, Projections, QkvNames};
pub use rope::{Rope, Turns};
pub use tensor::{add, concat, in_place, map_rows, room, rows, with_all, with_values};
pub use text_attention::{CachedAttention, CrossAttention, SelfAttention, WrittenRows};
pub use vision_attention::{ChannelAttention, WindowAttention};

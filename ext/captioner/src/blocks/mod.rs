//! Stacks of layers that several families share. Shapes and the names of weights come from the caller.

mod causal;
mod vit;

pub use causal::{CausalConfig, CausalDecoder, CausalNames, CausalState, MlpNames, NormKind, Prefill};
pub use vit::{PatchEmbedding, Vit, VitConfig, VitNames};

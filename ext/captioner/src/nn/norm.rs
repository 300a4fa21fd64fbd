use candle_core::Tensor;
use rayon::prelude::*;

use super::map_rows;
use crate::kernels::{layer_norm, TILE_ROWS};
use crate::weights::Scope;
use crate::Result;

/// Layer normalisation over channels.
pub struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl LayerNorm {
    /// `torch.nn.LayerNorm`'s default, which DaViT and BART keep.
    const EPS: f32 = 1e-5;

    /// Reads `weight` and `bias` `[channels]` at `scope`.
    pub fn load(channels: usize, scope: Scope) -> Result<Self> {
        Ok(Self { weight: scope.vector("weight", channels)?, bias: scope.vector("bias", channels)? })
    }

    /// `[rows, channels]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let tile = TILE_ROWS * self.weight.len();
        map_rows(x, self.weight.len(), |x, out| {
            out.par_chunks_mut(tile).zip(x.par_chunks(tile)).for_each(|(out, x)| self.forward_rows(x, out));
        })
    }

    /// The same over plain rows, on the calling thread.
    pub fn forward_rows(&self, x: &[f32], out: &mut [f32]) {
        layer_norm(x, &self.weight, &self.bias, Self::EPS, out);
    }
}

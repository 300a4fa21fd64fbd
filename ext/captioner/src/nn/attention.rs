use candle_core::Tensor;
use rayon::prelude::*;

use super::projections::{row_tile, HeadShape, Projections, QkvNames};
use super::{in_place, rows, LayerNorm, Linear};
use crate::kernels::{Epilogue, Mask};
use crate::weights::Scope;
use crate::{Error, Result};

/// Multi-head attention in which every token of an image sees every other.
pub struct Attention {
    projections: Projections,
    out: Linear,
}

impl Attention {
    /// Reads the projections `names` and `out`, `[channels, channels]`, at `scope`; with or without biases.
    pub fn load(channels: usize, heads: usize, bias: bool, names: QkvNames, out: &str, scope: &Scope) -> Result<Self> {
        let shape = HeadShape { heads, kv_heads: heads, dim: channels / heads.max(1) };
        if shape.queries() != channels {
            return Err(Error::UnsupportedModel(format!("{channels} channels cannot be shared out to {heads} heads")));
        }
        let projections = Projections::load(channels, shape, bias, names, scope)?;
        Ok(Self { projections, out: Linear::load(channels, channels, bias, scope.pp(out))? })
    }

    /// Pre-norm, in place: `x += attention(norm(x))` for images of `tokens` rows each, one after the other.
    pub fn forward_pre_norm(&self, x: &Tensor, norm: &LayerNorm, tokens: usize) -> Result<()> {
        let (count, channels) = (rows(x)?, self.out.outputs());
        if tokens == 0 || !count.is_multiple_of(tokens) {
            return Err(Error::Internal(format!("{count} rows are not images of {tokens} tokens")));
        }
        let (projections, out) = (self.projections.ready(tokens), self.out.ready(tokens));
        let (mut qkv, tile) = (self.projections.room(tokens), row_tile(tokens));
        in_place(x, |x| {
            for x in x.chunks_exact_mut(tokens * channels) {
                projections.forward(x, channels, |x, normed| norm.forward_rows(x, normed), |_, _, _, _| {}, &mut qkv);
                let mixed = qkv.attend(Mask::None, self.projections.arithmetic());
                let tiles = x.par_chunks_mut(tile * channels).zip(mixed.par_chunks(tile * channels));
                tiles.for_each(|(x, mixed)| out.forward_rows(mixed, Epilogue::Add, x));
            }
        })
    }
}

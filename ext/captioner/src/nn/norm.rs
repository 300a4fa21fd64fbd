use candle_core::Tensor;
use rayon::prelude::*;

use super::map_rows;
use crate::kernels::{layer_norm, rms_norm, TILE_ROWS};
use crate::weights::Scope;
use crate::Result;

/// Layer normalisation over channels.
pub struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl LayerNorm {
    /// `torch.nn.LayerNorm`'s default.
    const EPS: f32 = 1e-5;

    /// Reads `weight` and `bias` `[channels]` at `scope`.
    pub fn load(channels: usize, scope: Scope) -> Result<Self> {
        Self::with_eps(channels, Self::EPS, scope)
    }

    /// The same where the configuration says what is added to the variance.
    pub fn with_eps(channels: usize, eps: f32, scope: Scope) -> Result<Self> {
        Ok(Self { weight: scope.vector("weight", channels)?, bias: scope.vector("bias", channels)?, eps })
    }

    /// `[rows, channels]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        map_rows(x, self.weight.len(), |x, out| self.forward_all(x, out))
    }

    /// The same over plain rows, on all threads of the pool.
    pub fn forward_all(&self, x: &[f32], out: &mut [f32]) {
        all(x, self.weight.len(), |x, out| self.forward_rows(x, out), out);
    }

    /// The same on the calling thread.
    pub fn forward_rows(&self, x: &[f32], out: &mut [f32]) {
        layer_norm(x, &self.weight, &self.bias, self.eps, out);
    }
}

/// Normalisation by the root of the mean square, without a mean or a bias (arXiv 1910.07467).
pub struct RmsNorm {
    weight: Vec<f32>,
    eps: f32,
}

impl RmsNorm {
    /// Reads `weight` `[channels]` at `scope`.
    pub fn load(channels: usize, eps: f32, scope: Scope) -> Result<Self> {
        Ok(Self { weight: scope.vector("weight", channels)?, eps })
    }

    /// `[rows, channels]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let channels = self.weight.len();
        map_rows(x, channels, |x, out| all(x, channels, |x, out| self.forward_rows(x, out), out))
    }

    /// The same over plain rows, on the calling thread.
    pub fn forward_rows(&self, x: &[f32], out: &mut [f32]) {
        rms_norm(x, &self.weight, self.eps, out);
    }
}

/// Either norm.
pub enum Norm {
    Layer(LayerNorm),
    Rms(RmsNorm),
}

impl Norm {
    /// `[rows, channels]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Norm::Layer(norm) => norm.forward(x),
            Norm::Rms(norm) => norm.forward(x),
        }
    }

    /// The same over plain rows, on the calling thread.
    pub fn forward_rows(&self, x: &[f32], out: &mut [f32]) {
        match self {
            Norm::Layer(norm) => norm.forward_rows(x, out),
            Norm::Rms(norm) => norm.forward_rows(x, out),
        }
    }
}

fn all(x: &[f32], channels: usize, norm: impl Fn(&[f32], &mut [f32]) + Sync, out: &mut [f32]) {
    let tile = TILE_ROWS * channels;
    out.par_chunks_mut(tile).zip(x.par_chunks(tile)).for_each(|(out, x)| norm(x, out));
}

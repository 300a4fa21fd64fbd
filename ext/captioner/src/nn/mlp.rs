use candle_core::Tensor;
use rayon::prelude::*;
use serde::Deserialize;

use super::{map_rows, LayerNorm, Linear};
use crate::kernels::{Epilogue, TILE_ROWS};
use crate::Result;

/// The activation between the two linears, by the names that configurations use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Exact (erf) GELU.
    Gelu,
    /// max(x, 0).
    Relu,
}

/// `fc2(activation(fc1(x)))`, worked off in tiles of rows so that the wide hidden never exists whole.
pub struct Mlp {
    fc1: Linear,
    fc2: Linear,
    activation: Activation,
}

impl Mlp {
    /// The two linears and what is between them.
    pub fn new(fc1: Linear, fc2: Linear, activation: Activation) -> Self {
        Self { fc1, fc2, activation }
    }

    /// Pre-norm: `x + mlp(norm(x))`.
    pub fn forward_pre_norm(&self, x: &Tensor, norm: &LayerNorm) -> Result<Tensor> {
        self.tiles(x, |x, out, hidden| {
            let mut normed = vec![0.0; x.len()];
            norm.forward_rows(x, &mut normed);
            out.copy_from_slice(x);
            self.add_rows(&normed, hidden, out);
        })
    }

    /// Post-norm: `norm(x + mlp(x))`.
    pub fn forward_post_norm(&self, x: &Tensor, norm: &LayerNorm) -> Result<Tensor> {
        self.tiles(x, |x, out, hidden| {
            let mut sum = x.to_vec();
            self.add_rows(x, hidden, &mut sum);
            norm.forward_rows(&sum, out);
        })
    }

    fn tiles(&self, x: &Tensor, f: impl Fn(&[f32], &mut [f32], &mut Vec<f32>) + Sync) -> Result<Tensor> {
        let channels = self.fc2.outputs();
        let tile = TILE_ROWS * channels;
        map_rows(x, channels, |x, out| {
            out.par_chunks_mut(tile)
                .zip(x.par_chunks(tile))
                .for_each_init(Vec::new, |hidden, (out, x)| f(x, out, hidden));
        })
    }

    fn add_rows(&self, x: &[f32], hidden: &mut Vec<f32>, out: &mut [f32]) {
        hidden.resize(x.len() / self.fc2.outputs() * self.fc1.outputs(), 0.0);
        let activation = match self.activation {
            Activation::Gelu => Epilogue::Gelu,
            Activation::Relu => Epilogue::Relu,
        };
        self.fc1.forward_rows(x, activation, hidden);
        self.fc2.forward_rows(hidden, Epilogue::Add, out);
    }
}

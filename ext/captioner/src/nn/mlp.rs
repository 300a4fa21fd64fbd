use candle_core::Tensor;
use rayon::prelude::*;
use serde::Deserialize;

use super::{even_tile, in_place, map_rows, rows, LayerNorm, Linear, ReadyLinear};
use crate::kernels::{Epilogue, Scratch, FEW_ROWS, TILE_ROWS};
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

    /// Pre-norm, in place: `x += mlp(norm(x))`.
    pub fn forward_pre_norm(&self, x: &Tensor, norm: &LayerNorm) -> Result<()> {
        let ready = self.ready(rows(x)?);
        in_place(x, |x| {
            x.par_chunks_mut(self.tile(x)).for_each(|x| {
                let mut normed = Scratch::take(x.len());
                norm.forward_rows(x, &mut normed);
                ready.add_rows(&normed, x);
            });
        })
    }

    /// Post-norm: `norm(x + mlp(x))`.
    pub fn forward_post_norm(&self, x: &Tensor, norm: &LayerNorm) -> Result<Tensor> {
        let ready = self.ready(rows(x)?);
        map_rows(x, self.fc2.outputs(), |x, out| {
            let tile = self.tile(x);
            out.par_chunks_mut(tile).zip(x.par_chunks(tile)).for_each(|(out, x)| {
                let mut sum = Scratch::take(x.len());
                sum.copy_from_slice(x);
                ready.add_rows(x, &mut sum);
                norm.forward_rows(&sum, out);
            });
        })
    }

    /// Values in a tile of rows. Few rows are one tile, as their products are spread over the threads.
    fn tile(&self, x: &[f32]) -> usize {
        let channels = self.fc2.outputs();
        let rows = x.len() / channels;
        if rows <= FEW_ROWS {
            x.len().max(1)
        } else {
            even_tile(rows, TILE_ROWS) * channels
        }
    }

    fn ready(&self, rows: usize) -> ReadyMlp<'_> {
        ReadyMlp { fc1: self.fc1.ready(rows), fc2: self.fc2.ready(rows), activation: self.activation }
    }
}

/// The linears made ready for all tiles.
struct ReadyMlp<'a> {
    fc1: ReadyLinear<'a>,
    fc2: ReadyLinear<'a>,
    activation: Activation,
}

impl ReadyMlp<'_> {
    fn add_rows(&self, x: &[f32], out: &mut [f32]) {
        let mut hidden = Scratch::take(x.len() / self.fc2.outputs() * self.fc1.outputs());
        let activation = match self.activation {
            Activation::Gelu => Epilogue::Gelu,
            Activation::Relu => Epilogue::Relu,
        };
        self.fc1.forward_rows(x, activation, &mut hidden);
        self.fc2.forward_rows(&hidden, Epilogue::Add, out);
    }
}

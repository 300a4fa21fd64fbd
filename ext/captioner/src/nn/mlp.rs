use candle_core::Tensor;
use rayon::prelude::*;
use serde::Deserialize;

use super::linear::forward_each_rows;
use super::projections::row_tile;
use super::{in_place, map_rows, rows, LayerNorm, Linear, ReadyLinear};
use crate::kernels::{multiply, silu, Epilogue, Regime, Scratch, FEW_ROWS};
use crate::Result;

/// The activation between the two linears, by the names that configurations use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Exact (erf) GELU.
    Gelu,
    /// GELU by its tanh approximation.
    #[serde(rename = "gelu_pytorch_tanh", alias = "gelu_new")]
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// x * sigmoid(x).
    #[serde(alias = "swish")]
    Silu,
}

impl Activation {
    fn epilogue(self) -> Epilogue {
        match self {
            Activation::Gelu => Epilogue::Gelu,
            Activation::GeluTanh => Epilogue::GeluTanh,
            Activation::Relu => Epilogue::Relu,
            Activation::Silu => Epilogue::Silu,
        }
    }
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
        let (count, channels) = (rows(x)?, self.fc2.outputs());
        let ready = self.ready(count);
        in_place(x, |x| {
            x.par_chunks_mut(row_tile(count) * channels).for_each(|x| {
                let mut normed = Scratch::take(x.len());
                norm.forward_rows(x, &mut normed);
                ready.add_rows(&normed, x);
            });
        })
    }

    /// Post-norm: `norm(x + mlp(x))`.
    pub fn forward_post_norm(&self, x: &Tensor, norm: &LayerNorm, regime: Regime) -> Result<Tensor> {
        let count = rows(x)?;
        let ready = self.ready_in(regime);
        map_rows(x, self.fc2.outputs(), |x, out| {
            let rows = if regime == Regime::Few { count } else { row_tile(count) };
            let tile = rows * self.fc2.outputs();
            out.par_chunks_mut(tile).zip(x.par_chunks(tile)).for_each(|(out, x)| {
                let mut sum = Scratch::take(x.len());
                sum.copy_from_slice(x);
                ready.add_rows(x, &mut sum);
                norm.forward_rows(&sum, out);
            });
        })
    }

    /// The layer made ready for `rows` rows, that tasks work off in pieces.
    pub fn ready(&self, rows: usize) -> ReadyMlp<'_> {
        self.ready_in(Regime::of(rows))
    }

    fn ready_in(&self, regime: Regime) -> ReadyMlp<'_> {
        let middle = Middle::Plain(self.fc1.ready_in(regime), self.activation.epilogue());
        ReadyMlp { middle, last: self.fc2.ready_in(regime) }
    }
}

/// `down(silu(gate(x)) * up(x))`.
pub struct GatedMlp {
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl GatedMlp {
    /// The three linears.
    pub fn new(gate: Linear, up: Linear, down: Linear) -> Self {
        Self { gate, up, down }
    }

    /// The layer made ready for `rows` rows, that tasks work off in pieces.
    pub fn ready(&self, rows: usize) -> ReadyMlp<'_> {
        let middle = Middle::Gated(Box::new([self.gate.ready(rows), self.up.ready(rows)]));
        ReadyMlp { middle, last: self.down.ready(rows) }
    }
}

/// See [`Mlp::ready`] and [`GatedMlp::ready`].
pub struct ReadyMlp<'a> {
    middle: Middle<'a>,
    last: ReadyLinear<'a>,
}

enum Middle<'a> {
    Plain(ReadyLinear<'a>, Epilogue),
    Gated(Box<[ReadyLinear<'a>; 2]>),
}

impl ReadyMlp<'_> {
    /// `out += mlp(x)` for some rows, on the calling thread.
    pub fn add_rows(&self, x: &[f32], out: &mut [f32]) {
        let count = out.len() / self.last.outputs();
        match &self.middle {
            Middle::Plain(fc1, activation) => {
                let mut hidden = Scratch::take(count * fc1.outputs());
                fc1.forward_rows(x, *activation, &mut hidden);
                self.last.forward_rows(&hidden, Epilogue::Add, out);
            }
            Middle::Gated(linears) => {
                let mut hidden = Scratch::take(count * linears[0].outputs());
                if count > FEW_ROWS {
                    linears[0].forward_rows(x, Epilogue::Silu, &mut hidden);
                    linears[1].forward_rows(x, Epilogue::Multiply, &mut hidden);
                } else {
                    // Threads meet once for both.
                    let mut up = Scratch::take(hidden.len());
                    forward_each_rows(linears.as_slice(), x, &mut [&mut hidden, &mut up]);
                    silu(&mut hidden);
                    multiply(&mut hidden, &up);
                }
                self.last.forward_rows(&hidden, Epilogue::Add, out);
            }
        }
    }
}

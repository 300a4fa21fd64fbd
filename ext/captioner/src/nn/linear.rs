use candle_core::{Device, Tensor};

use super::{map_rows, rows, with_values};
use crate::kernels::{matmul, matmul_each, multiply_each, Arithmetic, Epilogue, Job, Matrix, Piece, Ready, Regime};
use crate::weights::Scope;
use crate::{runtime, Result};

/// `y = x · Wᵀ + b`. How the weight is stored is the weight's own affair.
pub struct Linear {
    weight: Matrix,
    bias: Option<Vec<f32>>,
}

impl Linear {
    /// A layer from its parts.
    pub fn new(weight: Matrix, bias: Option<Vec<f32>>) -> Self {
        Self { weight, bias }
    }

    /// Reads `weight` `[outputs, inputs]` and, if asked for, `bias` `[outputs]` at `scope`.
    pub fn load(inputs: usize, outputs: usize, bias: bool, scope: Scope) -> Result<Self> {
        let weight = scope.matrix("weight", outputs, inputs)?;
        let bias = bias.then(|| scope.vector("bias", outputs)).transpose()?;
        Ok(Self { weight, bias })
    }

    /// Output features.
    pub fn outputs(&self) -> usize {
        self.weight.rows()
    }

    /// Are products with the weight computed in `f32`?
    pub fn is_exact(&self) -> bool {
        self.weight.arithmetic() == Arithmetic::F32
    }

    /// The arithmetic of products with the weight.
    pub fn arithmetic(&self) -> Arithmetic {
        self.weight.arithmetic()
    }

    /// `[rows, inputs]` through each of the layers, side by side.
    pub fn forward_each<const N: usize>(layers: [&Self; N], x: &Tensor, regime: Regime) -> Result<[Tensor; N]> {
        let count = rows(x)?;
        let mut outs = layers.map(|layer| runtime::zeros(count * layer.outputs()));
        with_values(x, |x| {
            let jobs = layers.into_iter().zip(&mut outs);
            let jobs = jobs.map(|(layer, out)| Job { weight: &layer.weight, bias: layer.bias.as_deref(), out });
            matmul_each(x, jobs.collect(), regime);
        })?;
        let tensors = layers.iter().zip(outs).map(|(layer, out)| {
            let shape = (count, layer.outputs());
            Ok(Tensor::from_vec(out, shape, &Device::Cpu)?)
        });
        Ok(tensors.collect::<Result<Vec<_>>>()?.try_into().expect("there is one for each layer"))
    }

    /// `[rows, inputs]` to `[rows, outputs]`, on all threads of the pool.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        map_rows(x, self.outputs(), |x, out| matmul(x, &self.weight, self.bias.as_deref(), Epilogue::Store, out))
    }

    /// [`Linear::forward`] where the rows are those of several sequences.
    pub fn forward_in(&self, regime: Regime, x: &Tensor) -> Result<Tensor> {
        let [out] = Self::forward_each([self], x, regime)?;
        Ok(out)
    }

    /// The layer made ready for `rows` rows of one sequence, that tasks work off in pieces.
    pub fn ready(&self, rows: usize) -> ReadyLinear<'_> {
        self.ready_in(Regime::of(rows))
    }

    /// The layer made ready for rows of several sequences.
    pub fn ready_in(&self, regime: Regime) -> ReadyLinear<'_> {
        ReadyLinear { weight: Ready::new(&self.weight, regime), bias: self.bias.as_deref() }
    }
}

/// See [`Linear::ready`].
pub struct ReadyLinear<'a> {
    weight: Ready<'a>,
    bias: Option<&'a [f32]>,
}

impl ReadyLinear<'_> {
    /// Output features.
    pub fn outputs(&self) -> usize {
        self.weight.outputs()
    }

    /// A piece of the rows, on the calling thread, with an epilogue.
    pub fn forward_rows(&self, x: &[f32], epilogue: Epilogue, out: &mut [f32]) {
        self.weight.multiply(x, self.bias, epilogue, out);
    }
}

/// A piece of the rows through each of several linears, which have it rounded once for all, or, if it is few rows, meet once.
pub(super) fn forward_each_rows(linears: &[ReadyLinear], x: &[f32], outs: &mut [&mut [f32]]) {
    let pieces = linears.iter().zip(outs);
    let pieces = pieces.map(|(linear, out)| Piece { weight: &linear.weight, bias: linear.bias, out });
    multiply_each(x, pieces.collect(), Epilogue::Store);
}

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{even_tile, in_place, with_values, LayerNorm};
use crate::kernels::{depthwise_3x3_residual, Epilogue, Matrix, Patches, Ready, Regime, Scratch};
use crate::weights::Scope;
use crate::{runtime, Result};

/// `x + depthwise3x3(x)` over a channels-last image.
pub struct DepthwiseConv {
    /// `[9, channels]`: tap-major, so that the inner loop runs over channels.
    kernel: Vec<f32>,
    bias: Vec<f32>,
}

impl DepthwiseConv {
    /// Reads `weight` `[channels, 1, 3, 3]` and `bias` `[channels]` at `scope`.
    pub fn load(channels: usize, scope: Scope) -> Result<Self> {
        let weight = scope.tensor("weight", &[channels, 1, 3, 3])?;
        let kernel = (0..9 * channels).map(|i| weight[i % channels * 9 + i / channels]).collect();
        Ok(Self { kernel, bias: scope.vector("bias", channels)? })
    }

    /// Changes `[height * width, channels]` in place.
    pub fn forward(&self, x: &Tensor, width: usize) -> Result<()> {
        in_place(x, |x| depthwise_3x3_residual(x, width, &self.kernel, &self.bias))
    }
}

/// Patches that are gathered at a time; one has up to nine times the channels of its input.
const GATHERED_ROWS: usize = 192;

/// A strided convolution that turns patches into tokens.
pub struct PatchConv {
    weight: Matrix,
    bias: Vec<f32>,
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl PatchConv {
    /// Reads `weight` `[outputs, inputs, kernel, kernel]` and `bias` `[outputs]` at `scope`.
    pub fn load(
        inputs: usize,
        outputs: usize,
        (kernel, stride, padding): (usize, usize, usize),
        scope: Scope,
    ) -> Result<Self> {
        let weight = scope.convolution("weight", outputs, inputs, kernel)?;
        Ok(Self { weight, bias: scope.vector("bias", outputs)?, kernel, stride, padding })
    }

    /// Patches without gaps from a linear `[outputs, inputs * side * side]`, whose columns are ordered by channel, row and column.
    pub fn from_linear(weight: Matrix, bias: Vec<f32>, side: usize) -> Self {
        Self { weight, bias, kernel: side, stride: side, padding: 0 }
    }

    /// The same convolution, more exact where it would be in int8.
    pub fn finer(self) -> Self {
        Self { weight: self.weight.finer(), ..self }
    }

    /// `[height * width, inputs]` to `[height' * width', outputs]`, and the new height and width.
    pub fn forward(&self, x: &Tensor, size: (usize, usize)) -> Result<(Tensor, (usize, usize))> {
        with_values(x, |x| self.forward_rows(x, size, None))?
    }

    /// The same over plain rows; a norm of the outputs is done while they are in the cache.
    pub fn forward_rows(
        &self,
        x: &[f32],
        size: (usize, usize),
        norm: Option<&LayerNorm>,
    ) -> Result<(Tensor, (usize, usize))> {
        let patches = Patches {
            channels: x.len() / (size.0 * size.1),
            input: size,
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
        };
        let (height, width) = patches.output();
        let outputs = self.bias.len();
        let mut out = runtime::zeros(height * width * outputs);
        let weight = Ready::new(&self.weight, Regime::of(height * width));
        let tile_rows = even_tile(height * width, GATHERED_ROWS);
        out.par_chunks_mut(tile_rows * outputs).enumerate().for_each(|(tile, out)| {
            let rows = out.len() / outputs;
            let mut gathered = Scratch::take(rows * patches.values());
            patches.gather(x, tile * tile_rows..tile * tile_rows + rows, &mut gathered);
            let Some(norm) = norm else {
                return weight.multiply(&gathered, Some(&self.bias), Epilogue::Store, out);
            };
            let mut projected = Scratch::take(out.len());
            weight.multiply(&gathered, Some(&self.bias), Epilogue::Store, &mut projected);
            norm.forward_rows(&projected, out);
        });
        Ok((Tensor::from_vec(out, (height * width, outputs), &Device::Cpu)?, (height, width)))
    }
}

//! A vision transformer (arXiv 2010.11929): patches as tokens, and pre-norm blocks in which every token sees every other.

use candle_core::Tensor;

use crate::nn::{in_place, Activation, Attention, LayerNorm, Linear, Mlp, PatchConv, QkvNames};
use crate::weights::Scope;
use crate::{Error, Result};

/// The shape of a tower.
#[derive(Debug, Clone)]
pub struct VitConfig<'a> {
    pub hidden: usize,
    pub heads: usize,
    pub layers: usize,
    pub mlp_hidden: usize,
    /// What the norms add to the variance.
    pub eps: f32,
    pub activation: Activation,
    pub names: VitNames<'a>,
}

/// How a checkpoint names its weights, below the tower's own name.
#[derive(Debug, Clone)]
pub struct VitNames<'a> {
    /// Above the number of a layer.
    pub layers: &'a str,
    pub attention_norm: &'a str,
    pub qkv: QkvNames<'a>,
    pub attention_out: &'a str,
    pub mlp_norm: &'a str,
    /// The two linears of the MLP.
    pub mlp: [&'a str; 2],
    /// After the last layer.
    pub final_norm: &'a str,
}

/// The blocks of a tower, with the norm behind them.
pub struct Vit {
    layers: Vec<Layer>,
    norm: LayerNorm,
}

struct Layer {
    attention_norm: LayerNorm,
    attention: Attention,
    mlp_norm: LayerNorm,
    mlp: Mlp,
}

impl Vit {
    /// Reads the tower at `scope`.
    pub fn load(config: &VitConfig, scope: Scope) -> Result<Self> {
        let names = &config.names;
        let norm = |name: &str, scope: &Scope| LayerNorm::with_eps(config.hidden, config.eps, scope.pp(name));
        let layers = (0..config.layers)
            .map(|layer| {
                let scope = scope.pp(names.layers).pp(layer);
                let fc1 = Linear::load(config.hidden, config.mlp_hidden, true, scope.pp(names.mlp[0]))?;
                let fc2 = Linear::load(config.mlp_hidden, config.hidden, true, scope.pp(names.mlp[1]))?;
                let (hidden, heads) = (config.hidden, config.heads);
                Ok(Layer {
                    attention_norm: norm(names.attention_norm, &scope)?,
                    attention: Attention::load(hidden, heads, true, names.qkv, names.attention_out, &scope)?,
                    mlp_norm: norm(names.mlp_norm, &scope)?,
                    mlp: Mlp::new(fc1, fc2, config.activation),
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { layers, norm: norm(names.final_norm, &scope)? })
    }

    /// Number of layers, each a step for [`Vit::layer`].
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// One layer, in place, for images of `tokens` rows each, one after the other: `x` is `[images * tokens, hidden]`. A weight is
    /// unpacked once for all of them.
    ///
    /// # Errors
    /// `Internal` if the rows are not whole images.
    pub fn layer(&self, layer: usize, x: &Tensor, tokens: usize) -> Result<()> {
        let layer = &self.layers[layer];
        layer.attention.forward_pre_norm(x, &layer.attention_norm, tokens)?;
        layer.mlp.forward_pre_norm(x, &layer.mlp_norm)
    }

    /// The norm behind the last layer, to a new tensor.
    pub fn norm(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.forward(x)
    }
}

/// Patches of pixels as tokens, with learned positions.
pub struct PatchEmbedding {
    patches: PatchConv,
    /// `[tokens, hidden]`
    positions: Vec<f32>,
    side: usize,
}

impl PatchEmbedding {
    /// `patches` cuts squares of `side` pixels without gaps; `positions` `[tokens, hidden]` is added to each image's tokens.
    pub fn new(patches: PatchConv, positions: Vec<f32>, side: usize) -> Self {
        Self { patches, positions, side }
    }

    /// Images of `size` (height, width), one below the other, `[images * height * width, 3]`, to `[images * tokens, hidden]`.
    ///
    /// # Errors
    /// `Internal` if there is not a position for each token.
    pub fn forward(&self, pixels: &Tensor, (height, width): (usize, usize)) -> Result<Tensor> {
        let rows = pixels.dims2()?.0 / width;
        let (x, size) = self.patches.forward(pixels, (rows, width))?;
        let tokens = (height / self.side) * (width / self.side);
        let hidden = x.dims2()?.1;
        if !rows.is_multiple_of(height) || size.1 != width / self.side || self.positions.len() != tokens * hidden {
            return Err(Error::Internal(format!(
                "{} positions do not fit images of {height}x{width}",
                self.positions.len() / hidden.max(1)
            )));
        }
        in_place(&x, |x| {
            x.chunks_exact_mut(tokens * hidden).for_each(|x| crate::kernels::add(x, &self.positions));
        })?;
        Ok(x)
    }
}

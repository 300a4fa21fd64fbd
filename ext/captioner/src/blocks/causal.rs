//! A causal decoder: rotary positions, and either two norms and an MLP after attention (Llama, arXiv 2302.13971) or one norm and
//! an MLP beside it (GPT-J, PaLM).
//!
//! What comes before the first generated token is one prefill, layer by layer; its keys and values are kept once for all beams.
//! Then a row a beam and step. A beam is a path through those rows, so reordering beams copies no cache.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::kernels::{Epilogue, Mask, Scratch, FEW_ROWS, TILE_ROWS};
use crate::nn::{
    in_place, rows, with_values, Activation, CausalAttention, GatedMlp, HeadShape, LayerNorm, Linear, Mlp, Norm,
    QkvNames, ReadyLinear, ReadyMlp, RmsNorm, Rope, RowCache, SharedCache, Turns,
};
use crate::weights::Scope;
use crate::{Error, Result};

/// The shape of a decoder.
#[derive(Debug, Clone)]
pub struct CausalConfig<'a> {
    pub hidden: usize,
    pub layers: usize,
    pub heads: HeadShape,
    pub mlp_hidden: usize,
    pub norm: NormKind,
    /// What the norms add to the variance, or to the mean square.
    pub eps: f32,
    pub rope_theta: f32,
    /// Channels of each head that are turned.
    pub rotary_dim: usize,
    /// Do the linears have biases?
    pub bias: bool,
    pub names: CausalNames<'a>,
}

/// Which norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// With a mean and a bias.
    Layer,
    /// By the root of the mean square.
    Rms,
}

/// How a checkpoint names its weights, below the decoder's own name.
#[derive(Debug, Clone)]
pub struct CausalNames<'a> {
    /// Above the number of a layer.
    pub layers: &'a str,
    pub attention_norm: &'a str,
    pub qkv: QkvNames<'a>,
    pub attention_out: &'a str,
    /// Of the MLP after attention. Without one, attention and MLP both follow the first norm.
    pub mlp_norm: Option<&'a str>,
    pub mlp: MlpNames<'a>,
    /// After the last layer.
    pub final_norm: &'a str,
}

/// Which MLP, and its linears' names.
#[derive(Debug, Clone, Copy)]
pub enum MlpNames<'a> {
    /// `fc2(activation(fc1(x)))`
    Plain([&'a str; 2], Activation),
    /// `down(silu(gate(x)) * up(x))`: the names of gate, up and down.
    Gated([&'a str; 3]),
}

/// The layers of a decoder, with the norm behind them.
pub struct CausalDecoder {
    layers: Vec<Layer>,
    norm: Norm,
    rope: Rope,
}

struct Layer {
    attention_norm: Norm,
    attention: CausalAttention,
    mlp_norm: Option<Norm>,
    mlp: MlpKind,
}

enum MlpKind {
    Plain(Mlp),
    Gated(GatedMlp),
}

/// What comes before the first generated token, on its way through the layers.
pub struct Prefill {
    /// `[tokens, hidden]`, changed in place.
    x: Tensor,
    mask: Mask,
    turns: Turns,
    shared: Vec<Arc<SharedCache>>,
    state_only: bool,
}

impl Prefill {
    /// The same for [`CausalDecoder::state`] alone: of the last layer only keys and values are computed.
    pub fn state_only(self) -> Self {
        Self { state_only: true, ..self }
    }

    /// The hidden states after the last layer that was worked off, `[tokens, hidden]`.
    pub fn hidden(&self) -> &Tensor {
        &self.x
    }

    /// Layers worked off.
    pub fn layers(&self) -> usize {
        self.shared.len()
    }
}

/// What a decoder remembers. A clone shares the prefix.
#[derive(Clone)]
pub struct CausalState {
    shared: Vec<Arc<SharedCache>>,
    written: Vec<RowCache>,
    prefix: usize,
    rows: u32,
    paths: Vec<Vec<u32>>,
}

impl CausalState {
    /// Positions taken.
    pub fn length(&self) -> usize {
        self.prefix + self.paths.first().map_or(0, Vec::len)
    }

    /// Beam `i` becomes a continuation of what was beam `parents[i]`.
    pub fn reorder(&mut self, parents: &[usize]) {
        if parents.iter().copied().eq(0..self.paths.len()) {
            return;
        }
        self.paths = parents.iter().map(|&parent| self.paths[parent].clone()).collect();
    }
}

impl CausalDecoder {
    /// Reads the decoder at `scope`.
    ///
    /// # Errors
    /// `UnsupportedModel` for a shape that this decoder cannot have.
    pub fn load(config: &CausalConfig, scope: Scope) -> Result<Self> {
        let HeadShape { heads, kv_heads, dim } = config.heads;
        if kv_heads == 0 || dim == 0 || !heads.is_multiple_of(kv_heads) {
            return Err(Error::UnsupportedModel(format!("{heads} heads cannot share {kv_heads} of keys and values")));
        }
        if config.rotary_dim > dim || !config.rotary_dim.is_multiple_of(2) {
            return Err(Error::UnsupportedModel(format!("{} of {dim} channels cannot be turned", config.rotary_dim)));
        }
        let layers = (0..config.layers)
            .map(|layer| Layer::load(config, scope.pp(config.names.layers).pp(layer)))
            .collect::<Result<_>>()?;
        let norm = norm(config, scope.pp(config.names.final_norm))?;
        Ok(Self { layers, norm, rope: Rope::new(config.rope_theta, config.rotary_dim) })
    }

    /// Number of layers, each a step for [`CausalDecoder::layer`].
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Starts with what comes before the first generated token, `[tokens, hidden]`, at positions 0, 1, .... The first `prefix` of
    /// them see each other, all others what is before them.
    pub fn start(&self, x: Tensor, prefix: usize) -> Result<Prefill> {
        let turns = self.rope.turns(0..rows(&x)?);
        let shared = Vec::with_capacity(self.layers.len());
        Ok(Prefill { x, mask: Mask::Causal { prefix }, turns, shared, state_only: false })
    }

    /// Works off the next layer. Does nothing after the last.
    pub fn layer(&self, prefill: &mut Prefill) -> Result<()> {
        let Some(layer) = self.layers.get(prefill.shared.len()) else { return Ok(()) };
        let norm = |x: &[f32], normed: &mut [f32]| layer.attention_norm.forward_rows(x, normed);
        if prefill.state_only && prefill.shared.len() + 1 == self.layers.len() {
            prefill.shared.push(Arc::new(layer.attention.remember(&prefill.x, norm, &prefill.turns)?));
            return Ok(());
        }
        let (mixed, shared) = layer.attention.prefill(&prefill.x, norm, &prefill.turns, prefill.mask)?;
        prefill.shared.push(Arc::new(shared));
        let (tokens, channels) = prefill.x.dims2()?;
        let (ready, width) = (layer.ready(tokens), layer.attention.mixed());
        // A prompt of many rows is shared out in tiles; few rows are one, as their products are spread over the threads.
        let tile = if tokens <= FEW_ROWS { tokens } else { tile(tokens) };
        in_place(&prefill.x, |x| {
            let tiles = x.par_chunks_mut((tile * channels).max(1)).zip(mixed.par_chunks((tile * width).max(1)));
            tiles.for_each(|(x, mixed)| ready.add_rows(mixed, x));
        })
    }

    /// The hidden state of the last position after the norm, `[1, hidden]`, and the state for what is generated.
    ///
    /// # Errors
    /// `Internal` before the last layer, without a position, or for a prefill that is for the state only.
    pub fn finish(&self, prefill: &Prefill) -> Result<(Tensor, CausalState)> {
        let state = self.state(prefill)?;
        let (tokens, channels) = prefill.x.dims2()?;
        if prefill.state_only || tokens == 0 {
            return Err(Error::Internal("a prompt without a last hidden state".into()));
        }
        let last = with_values(&prefill.x, |x| x[(tokens - 1) * channels..].to_vec())?;
        Ok((self.norm.forward(&Tensor::from_vec(last, (1, channels), &Device::Cpu)?)?, state))
    }

    /// The state for what is generated, with one empty beam. The prefill is not used up.
    ///
    /// # Errors
    /// `Internal` before the last layer.
    pub fn state(&self, prefill: &Prefill) -> Result<CausalState> {
        if prefill.shared.len() < self.layers.len() {
            return Err(Error::Internal("a prompt that is not through all layers".into()));
        }
        Ok(CausalState {
            shared: prefill.shared.clone(),
            written: vec![RowCache::default(); self.layers.len()],
            prefix: rows(&prefill.x)?,
            rows: 0,
            paths: vec![Vec::new()],
        })
    }

    /// Appends row `i` of `x` `[beams, hidden]`, the embedding of a token, to beam `i`; gives the hidden states after the norm,
    /// `[beams, hidden]`. Changes `x` in place.
    ///
    /// # Errors
    /// `Internal` if there is not a row for each beam.
    pub fn step(&self, x: &Tensor, state: &mut CausalState) -> Result<Tensor> {
        let (beams, channels) = x.dims2()?;
        if beams != state.paths.len() {
            return Err(Error::Internal(format!("{beams} rows for {} beams", state.paths.len())));
        }
        let turns = self.rope.turns(std::iter::repeat_n(state.length(), beams));
        for path in &mut state.paths {
            path.push(state.rows);
            state.rows += 1;
        }
        in_place(x, |x| {
            for (layer, (shared, written)) in self.layers.iter().zip(state.shared.iter().zip(&mut state.written)) {
                let norm = |x: &[f32], normed: &mut [f32]| layer.attention_norm.forward_rows(x, normed);
                let mut mixed = Scratch::take(beams * layer.attention.mixed());
                layer.attention.step(x, norm, &turns, (shared, written), &state.paths, &mut mixed);
                layer.ready(beams).add_rows(&mixed, &mut x[..beams * channels]);
            }
        })?;
        self.norm.forward(x)
    }
}

/// Rows of a prefill's tile: as even as can be.
fn tile(rows: usize) -> usize {
    rows.div_ceil(rows.div_ceil(TILE_ROWS).next_multiple_of(rayon::current_num_threads())).max(1)
}

fn norm(config: &CausalConfig, scope: Scope) -> Result<Norm> {
    Ok(match config.norm {
        NormKind::Layer => Norm::Layer(LayerNorm::with_eps(config.hidden, config.eps, scope)?),
        NormKind::Rms => Norm::Rms(RmsNorm::load(config.hidden, config.eps, scope)?),
    })
}

impl Layer {
    fn load(config: &CausalConfig, scope: Scope) -> Result<Self> {
        let (names, hidden) = (&config.names, config.hidden);
        let linear = |name: &str, inputs, outputs| Linear::load(inputs, outputs, config.bias, scope.pp(name));
        let mlp = match names.mlp {
            MlpNames::Plain([fc1, fc2], activation) => {
                let fc1 = linear(fc1, hidden, config.mlp_hidden)?;
                MlpKind::Plain(Mlp::new(fc1, linear(fc2, config.mlp_hidden, hidden)?, activation))
            }
            MlpNames::Gated([gate, up, down]) => {
                let (gate, up) = (linear(gate, hidden, config.mlp_hidden)?, linear(up, hidden, config.mlp_hidden)?);
                MlpKind::Gated(GatedMlp::new(gate, up, linear(down, config.mlp_hidden, hidden)?))
            }
        };
        let (bias, out) = (config.bias, names.attention_out);
        Ok(Self {
            attention_norm: norm(config, scope.pp(names.attention_norm))?,
            attention: CausalAttention::load(hidden, config.heads, bias, names.qkv, out, &scope)?,
            mlp_norm: names.mlp_norm.map(|name| norm(config, scope.pp(name))).transpose()?,
            mlp,
        })
    }

    fn ready(&self, rows: usize) -> ReadyLayer<'_> {
        let mlp = match &self.mlp {
            MlpKind::Plain(mlp) => mlp.ready(rows),
            MlpKind::Gated(mlp) => mlp.ready(rows),
        };
        ReadyLayer { layer: self, out: self.attention.ready_out(rows), mlp }
    }
}

/// What follows attention, made ready for some rows.
struct ReadyLayer<'a> {
    layer: &'a Layer,
    out: ReadyLinear<'a>,
    mlp: ReadyMlp<'a>,
}

impl ReadyLayer<'_> {
    /// Adds what attention mixed, and the MLP, to rows of `x`.
    fn add_rows(&self, mixed: &[f32], x: &mut [f32]) {
        let mut normed = Scratch::take(x.len());
        match &self.layer.mlp_norm {
            Some(norm) => {
                self.out.forward_rows(mixed, Epilogue::Add, x);
                norm.forward_rows(x, &mut normed);
            }
            None => {
                self.layer.attention_norm.forward_rows(x, &mut normed);
                self.out.forward_rows(mixed, Epilogue::Add, x);
            }
        }
        self.mlp.add_rows(&normed, x);
    }
}

//! BART, the language model: a bidirectional encoder over image and prompt, and a decoder that writes.
//!
//! - BART, arXiv 1910.13461
//! - transformers, `models/bart/modeling_bart.py`: post-norm, learned positions with an offset of two

use candle_core::Tensor;

use super::config::TextConfig;
use super::names::{OUTPUT, TOKEN_EMBEDDINGS};
use crate::kernels::{Matrix, Regime};
use crate::nn::{
    add, rows, CachedAttention, CrossAttention, Embedding, LayerNorm, Linear, Mlp, RowCache, SelfAttention,
    SharedCache, WrittenRows,
};
use crate::weights::Scope;
use crate::Result;

/// Positions start at row 2 of the table, a legacy of fairseq's padding index.
const POSITION_OFFSET: usize = 2;

/// The token table, shared by the encoder and the decoder, and the output layer's matrix: the same one, unless there is an
/// `own_output`.
pub fn token_tables(config: &TextConfig, root: &Scope, own_output: bool) -> Result<(Matrix, Matrix)> {
    let read = |name| root.matrix(name, config.vocab_size, config.d_model);
    let is_table = |name: &&str| root.contains(name) && !(own_output && *name == OUTPUT);
    let table = read(TOKEN_EMBEDDINGS.into_iter().find(is_table).unwrap_or(TOKEN_EMBEDDINGS[0]))?;
    let output = if own_output { read(OUTPUT)? } else { table.clone() };
    Ok((table, output))
}

/// Token rows, scaled if the configuration says so.
pub fn token_embedding(config: &TextConfig, table: &Matrix) -> Embedding {
    let scale = if config.scales_embedding() { (config.d_model as f32).sqrt() } else { 1.0 };
    Embedding::new(table.clone(), scale)
}

fn positions(config: &TextConfig, scope: &Scope) -> Result<Embedding> {
    let rows = config.max_position_embeddings + POSITION_OFFSET;
    Ok(Embedding::new(scope.pp("embed_positions").matrix("weight", rows, config.d_model)?, 1.0))
}

fn mlp(config: &TextConfig, hidden: usize, scope: &Scope) -> Result<Mlp> {
    let fc1 = Linear::load(config.d_model, hidden, true, scope.pp("fc1"))?;
    let fc2 = Linear::load(hidden, config.d_model, true, scope.pp("fc2"))?;
    Ok(Mlp::new(fc1, fc2, config.activation_function))
}

/// The encoder.
pub struct Encoder {
    positions: Embedding,
    norm: LayerNorm,
    layers: Vec<EncoderLayer>,
}

struct EncoderLayer {
    attention: SelfAttention,
    attention_norm: LayerNorm,
    mlp: Mlp,
    norm: LayerNorm,
}

impl Encoder {
    /// Reads the encoder at `scope`.
    pub fn load(config: &TextConfig, scope: Scope) -> Result<Self> {
        let d = config.d_model;
        let layers = (0..config.encoder_layers)
            .map(|layer| {
                let scope = scope.pp("layers").pp(layer);
                Ok(EncoderLayer {
                    attention: SelfAttention::load(d, config.encoder_attention_heads, scope.pp("self_attn"))?,
                    attention_norm: LayerNorm::load(d, scope.pp("self_attn_layer_norm"))?,
                    mlp: mlp(config, config.encoder_ffn_dim, &scope)?,
                    norm: LayerNorm::load(d, scope.pp("final_layer_norm"))?,
                })
            })
            .collect::<Result<_>>()?;
        let norm = LayerNorm::load(d, scope.pp("layernorm_embedding"))?;
        Ok(Self { positions: positions(config, &scope)?, norm, layers })
    }

    /// Number of layers, each a step for [`Encoder::layer`].
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Adds positions to `[tokens, d_model]` and normalises.
    pub fn embed(&self, x: &Tensor) -> Result<Tensor> {
        let tokens = x.dims2()?.0;
        let positions = self.positions.forward(POSITION_OFFSET..POSITION_OFFSET + tokens)?;
        self.norm.forward(&add(x, &positions)?)
    }

    /// One layer, `[tokens, d_model]` to the same shape.
    pub fn layer(&self, layer: usize, x: &Tensor) -> Result<Tensor> {
        let layer = &self.layers[layer];
        let attended = add(x, &layer.attention.forward(x)?)?;
        layer.mlp.forward_post_norm(&layer.attention_norm.forward(&attended)?, &layer.norm, Regime::of(rows(x)?))
    }
}

/// The decoder and the output layer.
pub struct Decoder {
    tokens: Embedding,
    positions: Embedding,
    norm: LayerNorm,
    layers: Vec<DecoderLayer>,
    head: Linear,
}

struct DecoderLayer {
    attention: CachedAttention,
    attention_norm: LayerNorm,
    cross: CrossAttention,
    cross_norm: LayerNorm,
    mlp: Mlp,
    norm: LayerNorm,
}

/// What a decoder remembers of one image: keys and values of the encoder's tokens, once for all beams, and those of the
/// written tokens, a row per beam and step. A beam is a path through those rows, so reordering beams copies no cache.
#[derive(Default)]
pub struct DecoderState {
    cross: Vec<SharedCache>,
    written: Vec<RowCache>,
    rows: u32,
    paths: Vec<Vec<u32>>,
}

impl Decoder {
    /// Reads the decoder at `root`'s `language_model`; `table` is the token table, `output` the output layer's matrix.
    pub fn load(config: &TextConfig, table: &Matrix, output: Matrix, root: &Scope) -> Result<Self> {
        let (d, scope) = (config.d_model, root.pp("language_model.model.decoder"));
        let layers = (0..config.decoder_layers)
            .map(|layer| {
                let scope = scope.pp("layers").pp(layer);
                let heads = config.decoder_attention_heads;
                Ok(DecoderLayer {
                    attention: CachedAttention::load(d, heads, scope.pp("self_attn"))?,
                    attention_norm: LayerNorm::load(d, scope.pp("self_attn_layer_norm"))?,
                    cross: CrossAttention::load(d, heads, scope.pp("encoder_attn"))?,
                    cross_norm: LayerNorm::load(d, scope.pp("encoder_attn_layer_norm"))?,
                    mlp: mlp(config, config.decoder_ffn_dim, &scope)?,
                    norm: LayerNorm::load(d, scope.pp("final_layer_norm"))?,
                })
            })
            .collect::<Result<_>>()?;
        // All zeros in the checkpoints that have one, and as large as the vocabulary.
        let bias = root.nonzero("language_model.final_logits_bias", &[1, config.vocab_size])?;
        Ok(Self {
            tokens: token_embedding(config, table),
            positions: positions(config, &scope)?,
            norm: LayerNorm::load(d, scope.pp("layernorm_embedding"))?,
            layers,
            head: Linear::new(output, bias),
        })
    }

    /// A state for the encoder's output `[tokens, d_model]`, with one empty beam.
    pub fn start(&self, encoded: &Tensor) -> Result<DecoderState> {
        let cross = self.layers.iter().map(|layer| layer.cross.remember(encoded)).collect::<Result<_>>()?;
        Ok(DecoderState {
            cross,
            written: vec![RowCache::default(); self.layers.len()],
            rows: 0,
            paths: vec![Vec::new()],
        })
    }

    /// Appends `tokens[i]` to beam `i` of each sequence and gives the logits of what may follow: `[beams, vocabulary]` of the
    /// first sequence, then those of the others. Several sequences have a few beams each, see [`Regime`].
    pub fn step(&self, sequences: &mut [(&[u32], &mut DecoderState)]) -> Result<Tensor> {
        let regime = match &*sequences {
            [(tokens, _)] => Regime::of(tokens.len()),
            _ => Regime::Few,
        };
        let (mut tokens, mut positions) = (Vec::new(), Vec::new());
        for (own, state) in sequences.iter_mut() {
            tokens.extend(own.iter().map(|&token| token as usize));
            positions.resize(tokens.len(), state.paths[0].len() + POSITION_OFFSET);
            state.append();
        }
        let (x, positions) = (self.tokens.forward(tokens)?, self.positions.forward(positions)?);
        let mut x = self.norm.forward(&add(&x, &positions)?)?;
        for (i, layer) in self.layers.iter().enumerate() {
            let mut written: Vec<_> = sequences.iter_mut().map(|(_, state)| state.written_in(i)).collect();
            let attended = layer.attention.forward(&x, &mut written, regime)?;
            x = layer.attention_norm.forward(&add(&x, &attended)?)?;
            let cross: Vec<_> = sequences.iter().map(|(tokens, state)| (tokens.len(), &state.cross[i])).collect();
            let attended = layer.cross.forward(&x, &cross, regime)?;
            x = layer.cross_norm.forward(&add(&x, &attended)?)?;
            x = layer.mlp.forward_post_norm(&x, &layer.norm, regime)?;
        }
        self.head.forward_in(regime, &x)
    }
}

impl DecoderState {
    /// A row for each beam.
    fn append(&mut self) {
        for path in &mut self.paths {
            path.push(self.rows);
            self.rows += 1;
        }
    }

    fn written_in(&mut self, layer: usize) -> WrittenRows<'_> {
        WrittenRows { cache: &mut self.written[layer], seen: &self.paths }
    }

    /// Beam `i` becomes a continuation of what was beam `parents[i]`.
    pub fn reorder(&mut self, parents: &[usize]) {
        self.paths = parents.iter().map(|&parent| self.paths[parent].clone()).collect();
    }
}

//! Embeddings to logits: a causal decoder whose attention and MLP stand side by side.

use candle_core::Tensor;

use super::config::TextConfig;
use super::vision::EPS;
use crate::blocks::{CausalConfig, CausalDecoder, CausalNames, CausalState, MlpNames, NormKind, Prefill};
use crate::nn::{Activation, Embedding, HeadShape, Linear, QkvNames};
use crate::text::Prompt;
use crate::weights::Scope;
use crate::Result;

/// Base of the rotary frequencies.
const THETA: f32 = 10000.0;

/// The token table, the decoder and the output layer.
pub struct Text {
    tokens: Embedding,
    decoder: CausalDecoder,
    head: Linear,
    prefix: usize,
}

impl Text {
    /// Reads the language model at `scope`.
    pub fn load(config: &TextConfig, scope: Scope) -> Result<Self> {
        let causal = CausalConfig {
            hidden: config.dim,
            layers: config.n_layers,
            heads: HeadShape { heads: config.n_heads, kv_heads: config.n_heads, dim: config.head_dim() },
            mlp_hidden: config.hidden(),
            norm: NormKind::Layer,
            eps: EPS,
            rope_theta: THETA,
            // The published code turns neighbouring pairs of q and k into halves alike: scores are those of halves.
            rotary_dim: config.head_dim() / 2,
            bias: true,
            names: CausalNames {
                layers: "blocks",
                attention_norm: "ln",
                qkv: QkvNames::Fused("attn.qkv"),
                attention_out: "attn.proj",
                mlp_norm: None,
                mlp: MlpNames::Plain(["mlp.fc1", "mlp.fc2"], Activation::GeluTanh),
                final_norm: "post_ln",
            },
        };
        Ok(Self {
            tokens: Embedding::new(scope.matrix("wte", config.vocab_size, config.dim)?, 1.0),
            head: Linear::load(config.dim, config.vocab_size, true, scope.pp("lm_head"))?,
            decoder: CausalDecoder::load(&causal, scope)?,
            prefix: config.prefix_attn,
        })
    }

    /// Number of layers, each a step for [`Text::layer`].
    pub fn layers(&self) -> usize {
        self.decoder.layers()
    }

    /// Starts with all of a prompt but its last token, which is the first step's. `image` is `[patches, dim]`.
    pub fn start(&self, prompt: &Prompt, image: &Tensor) -> Result<Prefill> {
        let count = prompt.ids().len() - 1;
        Ok(self.decoder.start(prompt.embed(count, &self.tokens, image)?, self.prefix)?.state_only())
    }

    /// Works off the next layer of a prompt.
    pub fn layer(&self, prefill: &mut Prefill) -> Result<()> {
        self.decoder.layer(prefill)
    }

    /// The state after a prompt that is through all layers.
    pub fn state(&self, prefill: &Prefill) -> Result<CausalState> {
        self.decoder.state(prefill)
    }

    /// Appends `tokens[i]` to beam `i`; the logits of what may follow, `[beams, vocabulary]`.
    pub fn step(&self, tokens: &[u32], state: &mut CausalState) -> Result<Tensor> {
        let x = self.tokens.forward(tokens.iter().map(|&id| id as usize))?;
        self.head.forward(&self.decoder.step(&x, state)?)
    }
}

//! SmolVLM: an image in tiles and a question in, an answer out.
//!
//! - SmolVLM, arXiv 2504.05299; Idefics3, arXiv 2408.12637; SigLIP, arXiv 2303.15343
//! - transformers, `models/idefics3`; `HuggingFaceTB/SmolVLM-256M-Instruct`
//!
//! Everything follows `config.json`, so 256M, 500M and fine-tunes are one code path.

mod answer;
mod config;
mod connector;
mod encoding;
mod export;
mod family;
mod parts;
mod prompt;
mod tiles;

use std::sync::Arc;

use connector::Connector;
use encoding::SmolVlmEncoding;

pub use answer::clean_up;
pub use config::{Config, ImageConfig};
pub use family::FAMILY;
pub use prompt::{tail, Pieces};
pub use tiles::{Grid, Tiles};

use super::{Encoding, Model, Request};
use crate::blocks::{
    CausalConfig, CausalDecoder, CausalNames, MlpNames, NormKind, PatchEmbedding, Vit, VitConfig, VitNames,
};
use crate::generate::Settings;
use crate::image::RgbImage;
use crate::kernels::{ActivationScales, Buffer};
use crate::nn::{Embedding, HeadShape, Linear, PatchConv, QkvNames};
use crate::text::{TextEncoder, Vocabulary};
use crate::weights::Scope;
use crate::{Error, Result};

/// As many new tokens as the application asks for.
const MAX_NEW_TOKENS: usize = 250;

/// A loaded model. Immutable: any number of captions may run on it at once.
pub struct SmolVlm {
    config: Config,
    settings: Settings,
    image: ImageConfig,
    vocabulary: Vocabulary,
    pieces: Pieces,
    /// For questions of the caller's own only.
    encoder: TextEncoder,
    patches: PatchEmbedding,
    tower: Vit,
    connector: Connector,
    tokens: Embedding,
    decoder: CausalDecoder,
    head: Linear,
    buffers: Vec<Buffer>,
}

/// What a model has beside its tensors.
struct Beside {
    config: Config,
    settings: Settings,
    image: ImageConfig,
    vocabulary: Vocabulary,
    pieces: Pieces,
    encoder: TextEncoder,
}

impl SmolVlm {
    fn build(beside: Beside, root: Scope) -> Result<Self> {
        let Beside { config, settings, image, vocabulary, pieces, encoder } = beside;
        // Inputs have single channels a hundred times as large as the others.
        let root = root.scaling(ActivationScales::PerBlock);
        let (vision, text) = (root.pp("model.vision_model"), root.pp("model.text_model"));
        let table =
            text.pp("embed_tokens").matrix("weight", config.text_config.vocab_size, config.text_config.hidden_size)?;
        let head = if config.tie_word_embeddings {
            table.clone()
        } else {
            root.pp("lm_head").matrix("weight", config.text_config.vocab_size, config.text_config.hidden_size)?
        };
        Ok(Self {
            patches: patches(&config, &vision)?,
            tower: tower(&config, vision)?,
            connector: Connector::load(&config, root.pp("model.connector"))?,
            tokens: Embedding::new(table, 1.0),
            decoder: decoder(&config, text)?,
            head: Linear::new(head, None),
            buffers: root.buffers(),
            config,
            settings,
            image,
            vocabulary,
            pieces,
            encoder,
        })
    }
}

fn patches(config: &Config, scope: &Scope) -> Result<PatchEmbedding> {
    let (vision, embeddings) = (&config.vision_config, scope.pp("embeddings"));
    let geometry = (vision.patch_size, vision.patch_size, 0);
    let convolution = PatchConv::load(3, vision.hidden_size, geometry, embeddings.pp("patch_embedding"))?;
    let positions =
        embeddings.pp("position_embedding").tensor("weight", &[config.grid().pow(2), vision.hidden_size])?;
    Ok(PatchEmbedding::new(convolution, positions, vision.patch_size))
}

fn tower(config: &Config, scope: Scope) -> Result<Vit> {
    let vision = &config.vision_config;
    let names = VitNames {
        layers: "encoder.layers",
        attention_norm: "layer_norm1",
        qkv: QkvNames::Separate(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
        attention_out: "self_attn.out_proj",
        mlp_norm: "layer_norm2",
        mlp: ["mlp.fc1", "mlp.fc2"],
        final_norm: "post_layernorm",
    };
    let config = VitConfig {
        hidden: vision.hidden_size,
        heads: vision.num_attention_heads,
        layers: vision.num_hidden_layers,
        mlp_hidden: vision.intermediate_size,
        eps: vision.layer_norm_eps,
        activation: vision.hidden_act,
        names,
    };
    Vit::load(&config, scope)
}

/// The text model's layers at `scope`, for those who want them alone.
///
/// # Errors
/// Those of reading its tensors.
pub fn decoder(config: &Config, scope: Scope) -> Result<CausalDecoder> {
    let text = &config.text_config;
    let names = CausalNames {
        layers: "layers",
        attention_norm: "input_layernorm",
        qkv: QkvNames::Separate(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
        attention_out: "self_attn.o_proj",
        mlp_norm: Some("post_attention_layernorm"),
        mlp: MlpNames::Gated(["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]),
        final_norm: "norm",
    };
    let heads = HeadShape { heads: text.num_attention_heads, kv_heads: config.kv_heads(), dim: config.head_dim() };
    let config = CausalConfig {
        hidden: text.hidden_size,
        layers: text.num_hidden_layers,
        heads,
        mlp_hidden: text.intermediate_size,
        norm: NormKind::Rms,
        eps: text.rms_norm_eps,
        rope_theta: config.rope_theta() as f32,
        rotary_dim: config.head_dim(),
        bias: false,
        names,
    };
    CausalDecoder::load(&config, scope)
}

impl Model for SmolVlm {
    fn family(&self) -> &'static str {
        FAMILY.name
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn max_new_tokens(&self) -> usize {
        MAX_NEW_TOKENS
    }

    fn buffers(&self) -> &[Buffer] {
        &self.buffers
    }

    fn check(&self, request: &Request) -> Result<()> {
        FAMILY.check_task(request)
    }

    fn begin(self: Arc<Self>, image: RgbImage, request: &Request) -> Result<Box<dyn Encoding>> {
        self.check(request)?;
        let splitting = request.image_splitting.unwrap_or(self.image.do_image_splitting);
        let tiles = Tiles::new(&image, &self.image, splitting)?;
        let tail =
            request.prompt.as_deref().map(|question| self.encoder.encode(&prompt::tail(question))).transpose()?;
        let (grid, rows) = (tiles.grid(), self.config.image_seq_len());
        let (length, room) =
            (self.pieces.length(grid, rows, tail.as_deref()), self.config.text_config.max_position_embeddings);
        if length > room {
            let what = format!("image and prompt take {length} positions, the model has {room}");
            return Err(match (&tail, request.image_splitting) {
                (None, None) => Error::CorruptModel(format!("{what}; its configurations do not belong together")),
                (None, Some(_)) => Error::InvalidArgument(format!("{what}; leave image_splitting to the model")),
                (Some(_), _) => Error::InvalidArgument(format!("{what}; ask a shorter question")),
            });
        }
        let prompt = self.pieces.prompt(grid, rows, tail.as_deref());
        Ok(Box::new(SmolVlmEncoding::new(self, tiles, prompt)))
    }

    fn text(&self, ids: &[u32]) -> String {
        answer::clean_up(&self.vocabulary.text(ids)).to_string()
    }
}

//! `config.json` and `generation_config.json`, in both layouts.

use std::path::Path;

use serde::{Deserialize, Deserializer};

use super::names::Naming;
use crate::generate::{EarlyStopping, Settings};
use crate::models::files::read_json;
use crate::nn::Activation;
use crate::{Error, Result};

/// The whole configuration of a Florence-2 checkpoint.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// The vision tower and what the projector needs.
    pub vision_config: VisionConfig,
    /// BART, and in Microsoft's layout the effective generation settings.
    pub text_config: TextConfig,
}

/// DaViT (`davit` in Microsoft's layout, `florence_vision` in the native one).
#[derive(Debug, Clone, Deserialize)]
pub struct VisionConfig {
    #[serde(default = "default::in_channels")]
    pub in_channels: usize,
    #[serde(alias = "dim_embed")]
    pub embed_dim: Vec<usize>,
    pub depths: Vec<usize>,
    pub num_heads: Vec<usize>,
    pub num_groups: Vec<usize>,
    pub patch_size: Vec<usize>,
    pub patch_stride: Vec<usize>,
    pub patch_padding: Vec<usize>,
    pub patch_prenorm: Vec<bool>,
    pub window_size: usize,
    #[serde(default = "default::mlp_ratio")]
    pub mlp_ratio: f64,
    #[serde(default = "default::yes")]
    pub qkv_bias: bool,
    #[serde(default = "default::activation")]
    pub activation_function: Activation,
    pub projection_dim: usize,
    /// Native layout.
    max_position_embeddings: Option<usize>,
    /// Microsoft's layout.
    image_pos_embed: Option<ImagePositions>,
    visual_temporal_embedding: Option<TemporalPositions>,
    image_feature_source: Option<Vec<FeatureSource>>,
}

#[derive(Debug, Clone, Deserialize)]
struct ImagePositions {
    r#type: String,
    max_pos_embeddings: usize,
}

#[derive(Debug, Clone, Deserialize)]
struct TemporalPositions {
    r#type: String,
}

/// Which tokens the projector hands on, in the order of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureSource {
    /// One token: the mean over the grid.
    SpatialAvgPool,
    /// The grid, averaged over frames; with one frame, the grid itself.
    TemporalAvgPool,
    /// The grid of the last frame.
    LastFrame,
}

/// BART.
#[derive(Debug, Clone, Deserialize)]
pub struct TextConfig {
    pub vocab_size: usize,
    pub d_model: usize,
    pub encoder_layers: usize,
    pub encoder_attention_heads: usize,
    pub encoder_ffn_dim: usize,
    pub decoder_layers: usize,
    pub decoder_attention_heads: usize,
    pub decoder_ffn_dim: usize,
    pub max_position_embeddings: usize,
    #[serde(default = "default::activation")]
    pub activation_function: Activation,
    #[serde(default)]
    pub scale_embedding: bool,
    #[serde(flatten)]
    generation: GenerationFile,
}

/// The generation settings as either file spells them; absent ones have the defaults of transformers.
#[derive(Debug, Clone, Default, Deserialize)]
struct GenerationFile {
    num_beams: Option<usize>,
    early_stopping: Option<EarlyStopping>,
    length_penalty: Option<f32>,
    no_repeat_ngram_size: Option<usize>,
    forced_bos_token_id: Option<u32>,
    /// The outer option is whether it is there at all: the Microsoft layout's default is not `null`.
    #[serde(default, deserialize_with = "present")]
    forced_eos_token_id: Option<Option<u32>>,
    decoder_start_token_id: Option<u32>,
    eos_token_id: Option<u32>,
}

/// Keeps `null` apart from an absent key.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

mod default {
    use crate::nn::Activation;

    pub fn in_channels() -> usize {
        3
    }
    pub fn mlp_ratio() -> f64 {
        4.0
    }
    pub fn yes() -> bool {
        true
    }
    pub fn activation() -> Activation {
        Activation::Gelu
    }
}

impl Config {
    /// Reads and checks `config.json` in `dir`.
    ///
    /// # Errors
    /// `CorruptModel` for numbers that do not fit together.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("config.json");
        let config: serde_json::Value = read_json(&path)?;
        Self::from_json(&config.to_string())
            .map_err(|error| Error::CorruptModel(format!("{}: {error}", path.display())))
    }

    /// Reads and checks a configuration's text.
    ///
    /// # Errors
    /// `CorruptModel` for numbers that do not fit together.
    pub fn from_json(text: &str) -> Result<Self> {
        let config: Self = serde_json::from_str(text).map_err(|error| Error::CorruptModel(error.to_string()))?;
        config.check().map_err(Error::CorruptModel)?;
        Ok(config)
    }

    fn check(&self) -> std::result::Result<(), String> {
        let (vision, text) = (&self.vision_config, &self.text_config);
        let stages = vision.embed_dim.len();
        let lists = [
            ("depths", vision.depths.len()),
            ("num_heads", vision.num_heads.len()),
            ("num_groups", vision.num_groups.len()),
            ("patch_size", vision.patch_size.len()),
            ("patch_stride", vision.patch_stride.len()),
            ("patch_padding", vision.patch_padding.len()),
            ("patch_prenorm", vision.patch_prenorm.len()),
        ];
        if let Some((name, len)) = lists.iter().find(|(_, len)| *len != stages) {
            return Err(format!("{name} has {len} entries for {stages} stages"));
        }
        let zero = |values: &[usize]| values.contains(&0);
        if stages == 0
            || zero(&vision.embed_dim)
            || zero(&vision.num_heads)
            || zero(&vision.num_groups)
            || zero(&vision.patch_size)
            || zero(&vision.patch_stride)
            || vision.window_size == 0
            || vision.in_channels != 3
        {
            return Err("a size of the vision tower is zero, or its input does not have 3 channels".into());
        }
        for (stage, dim) in vision.embed_dim.iter().enumerate() {
            if dim % vision.num_heads[stage] != 0 || dim % vision.num_groups[stage] != 0 {
                return Err(format!("stage {stage}: {dim} channels do not divide into its heads and groups"));
            }
        }
        let heads = [text.encoder_attention_heads, text.decoder_attention_heads];
        if text.d_model == 0 || heads.iter().any(|heads| *heads == 0 || text.d_model % heads != 0) {
            return Err(format!("d_model {} does not divide into {heads:?} heads", text.d_model));
        }
        if vision.projection_dim != text.d_model {
            return Err(format!("projection_dim {} is not d_model {}", vision.projection_dim, text.d_model));
        }
        if text.vocab_size == 0 || text.max_position_embeddings < 2 {
            return Err("vocab_size or max_position_embeddings is too small to generate anything".into());
        }
        if vision.image_pos_embed.as_ref().is_some_and(|p| p.r#type != "learned_abs_2d") {
            return Err("image_pos_embed is not of type learned_abs_2d".into());
        }
        if vision.visual_temporal_embedding.as_ref().is_some_and(|p| p.r#type != "COSINE") {
            return Err("visual_temporal_embedding is not of type COSINE".into());
        }
        Ok(())
    }

    /// The generation settings that the reference would use: those of `text_config` in Microsoft's naming (its code
    /// generates with the language model alone), those of `generation_config.json` in the native one.
    pub fn generation(&self, dir: &Path, naming: Naming) -> Result<Settings> {
        let path = dir.join("generation_config.json");
        let file = match naming {
            Naming::Microsoft => self.text_config.generation.clone(),
            Naming::Native if path.exists() => read_json(&path)?,
            Naming::Native => GenerationFile::default(),
        };
        let ids = &self.text_config.generation;
        // The configuration class of Microsoft's code forces `</s>` unless told otherwise.
        let forced_eos_default = (naming == Naming::Microsoft).then_some(2);
        let settings = Settings {
            num_beams: file.num_beams.unwrap_or(1),
            early_stopping: file.early_stopping.unwrap_or(EarlyStopping::No),
            length_penalty: file.length_penalty.unwrap_or(1.0),
            no_repeat_ngram_size: file.no_repeat_ngram_size.unwrap_or(0),
            forced_bos_token_id: file.forced_bos_token_id,
            forced_eos_token_id: file.forced_eos_token_id.unwrap_or(forced_eos_default),
            decoder_start_token_id: Some(file.decoder_start_token_id.or(ids.decoder_start_token_id).unwrap_or(2)),
            eos_token_ids: vec![file.eos_token_id.or(ids.eos_token_id).unwrap_or(2)],
        };
        let ids = [settings.forced_bos_token_id, settings.forced_eos_token_id, settings.decoder_start_token_id];
        let own = settings.eos_token_ids.iter().copied();
        if let Some(id) = ids.into_iter().flatten().chain(own).find(|id| *id as usize >= self.text_config.vocab_size) {
            return Err(Error::CorruptModel(format!("{}: token {id} is outside the vocabulary", dir.display())));
        }
        Ok(settings)
    }
}

impl VisionConfig {
    /// Rows of each of the two image position tables.
    pub fn image_positions(&self) -> usize {
        let microsoft = self.image_pos_embed.as_ref().map(|p| p.max_pos_embeddings);
        microsoft.or(self.max_position_embeddings).unwrap_or(50)
    }

    /// What the projector hands on; the native layout always has the mean and the grid.
    pub fn feature_sources(&self) -> Vec<FeatureSource> {
        self.image_feature_source
            .clone()
            .unwrap_or_else(|| vec![FeatureSource::SpatialAvgPool, FeatureSource::TemporalAvgPool])
    }

    /// Width of the hidden layer of stage `stage`'s MLP.
    pub fn hidden_dim(&self, stage: usize) -> usize {
        (self.embed_dim[stage] as f64 * self.mlp_ratio) as usize
    }
}

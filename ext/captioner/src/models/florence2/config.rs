//! `config.json` and `generation_config.json`, in both layouts.

use std::path::Path;

use serde::{Deserialize, Deserializer};

use super::geometry;
use super::names::Naming;
use super::vision_config::VisionConfig;
use crate::generate::{token_ids, EarlyStopping, Settings};
use crate::models::files::read_json;
use crate::nn::Activation;
use crate::{Error, Result};

/// More than any model has of anything, and little enough that products of two are exact.
const LARGEST_SIZE: usize = 1 << 24;

/// The whole configuration of a Florence-2 checkpoint.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// The vision tower and what the projector needs.
    pub vision_config: VisionConfig,
    /// BART, and in Microsoft's layout the effective generation settings.
    pub text_config: TextConfig,
    tie_word_embeddings: Option<bool>,
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
    scale_embedding: Option<bool>,
    tie_word_embeddings: Option<bool>,
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
    #[serde(default, with = "token_ids")]
    eos_token_id: Vec<u32>,
}

/// Keeps `null` apart from an absent key.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

mod default {
    use crate::nn::Activation;

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
            || vision.in_channels != 3
        {
            return Err("a size of the vision tower is zero, or its input does not have 3 channels".into());
        }
        let mut sizes: Vec<usize> = [&vision.embed_dim, &vision.depths].into_iter().flatten().copied().collect();
        sizes.extend([text.d_model, text.encoder_ffn_dim, text.decoder_ffn_dim, text.max_position_embeddings]);
        sizes.extend([text.encoder_layers, text.decoder_layers, text.vocab_size, vision.image_positions()]);
        if let Some(size) = sizes.into_iter().find(|size| *size > LARGEST_SIZE) {
            return Err(format!("a size of {size} is not plausible"));
        }
        if !(0.0..=64.0).contains(&vision.mlp_ratio) {
            return Err(format!("an mlp_ratio of {} is not plausible", vision.mlp_ratio));
        }
        geometry::check(vision)?;
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
        vision.check_positions()
    }

    /// Is the output layer the token table? Microsoft's code asks the language model's configuration, the native one the whole
    /// model's.
    pub fn ties_output(&self, naming: Naming) -> bool {
        match naming {
            Naming::Microsoft => self.text_config.tie_word_embeddings,
            Naming::Native => self.tie_word_embeddings,
        }
        .unwrap_or(true)
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
        Ok(Settings {
            num_beams: file.num_beams.unwrap_or(1),
            early_stopping: file.early_stopping.unwrap_or(EarlyStopping::No),
            length_penalty: file.length_penalty.unwrap_or(1.0),
            no_repeat_ngram_size: file.no_repeat_ngram_size.unwrap_or(0),
            forced_bos_token_id: file.forced_bos_token_id,
            forced_eos_token_id: file.forced_eos_token_id.unwrap_or(forced_eos_default),
            decoder_start_token_id: Some(file.decoder_start_token_id.or(ids.decoder_start_token_id).unwrap_or(2)),
            eos_token_ids: [file.eos_token_id, ids.eos_token_id.clone(), vec![2]]
                .into_iter()
                .find(|ids| !ids.is_empty())
                .unwrap_or_default(),
        })
    }
}

impl TextConfig {
    /// Are token rows multiplied by the root of their width?
    pub fn scales_embedding(&self) -> bool {
        self.scale_embedding.unwrap_or(false)
    }
}

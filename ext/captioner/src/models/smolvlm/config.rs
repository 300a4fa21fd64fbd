//! `config.json`, and the processor's settings beside it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::image::Filter;
use crate::models::files::{read_json, read_optional};
use crate::models::normalization;
use crate::nn::Activation;
use crate::{Error, Result};

/// The configuration of a checkpoint, as far as captions need it.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    pub vision_config: VisionConfig,
    pub text_config: TextConfig,
    /// Patches along a side that become one token.
    #[serde(default = "default::scale_factor")]
    pub scale_factor: usize,
    pub image_token_id: u32,
    #[serde(default)]
    pub tie_word_embeddings: bool,
}

/// SigLIP.
#[derive(Debug, Clone, Deserialize)]
pub struct VisionConfig {
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    /// Pixels along a side of a tile.
    pub image_size: usize,
    /// Pixels along a side of a patch.
    pub patch_size: usize,
    #[serde(default = "default::layer_norm_eps")]
    pub layer_norm_eps: f32,
    #[serde(default = "default::vision_activation")]
    pub hidden_act: Activation,
}

/// Llama.
#[derive(Debug, Clone, Deserialize)]
pub struct TextConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    pub max_position_embeddings: usize,
    #[serde(default = "default::rms_norm_eps")]
    pub rms_norm_eps: f32,
    rope_theta: Option<f64>,
    /// Where transformers 5 keeps what follows.
    rope_parameters: Option<Rope>,
    rope_scaling: Option<Rope>,
    #[serde(default = "default::text_activation")]
    hidden_act: Activation,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct Rope {
    rope_theta: Option<f64>,
    #[serde(alias = "type")]
    rope_type: Option<String>,
}

mod default {
    use crate::nn::Activation;

    pub fn scale_factor() -> usize {
        2
    }
    pub fn layer_norm_eps() -> f32 {
        1e-6
    }
    pub fn rms_norm_eps() -> f32 {
        1e-6
    }
    pub fn vision_activation() -> Activation {
        Activation::GeluTanh
    }
    pub fn text_activation() -> Activation {
        Activation::Silu
    }
    pub fn yes() -> bool {
        true
    }
    pub fn lanczos() -> u64 {
        1
    }
    pub fn rescale_factor() -> f64 {
        1.0 / 255.0
    }
    pub fn half() -> [f32; 3] {
        [0.5; 3]
    }
}

/// Tiles along a side of a picture; published checkpoints have four.
const MOST_TILES: u32 = 16;

impl Config {
    /// Reads and checks `config.json` in `dir`.
    ///
    /// # Errors
    /// `CorruptModel` for numbers that do not fit together, `UnsupportedModel` for a variant that is not built.
    pub fn read(dir: &Path) -> Result<Self> {
        let config: Self = read_json(&dir.join("config.json"))?;
        config.check().map_err(|error| error.within(&dir.join("config.json")))?;
        Ok(config)
    }

    /// Do the numbers fit together?
    ///
    /// # Errors
    /// As for [`Config::read`].
    pub fn check(&self) -> Result<()> {
        let (vision, text) = (&self.vision_config, &self.text_config);
        let corrupt = |what: String| Err(Error::CorruptModel(what));
        let sizes = [
            ("vision hidden_size", vision.hidden_size),
            ("vision intermediate_size", vision.intermediate_size),
            ("vision num_attention_heads", vision.num_attention_heads),
            ("image_size", vision.image_size),
            ("patch_size", vision.patch_size),
            ("scale_factor", self.scale_factor),
            ("vocab_size", text.vocab_size),
            ("hidden_size", text.hidden_size),
            ("intermediate_size", text.intermediate_size),
            ("num_attention_heads", text.num_attention_heads),
            ("num_key_value_heads", self.kv_heads()),
            ("head_dim", self.head_dim()),
            ("max_position_embeddings", text.max_position_embeddings),
        ];
        if let Some((name, size)) = sizes.iter().find(|(_, size)| !(1..=1 << 24).contains(size)) {
            return corrupt(format!("{name} is {size}"));
        }
        if let Some(layers) = [vision.num_hidden_layers, text.num_hidden_layers].iter().find(|layers| **layers > 1024) {
            return corrupt(format!("num_hidden_layers is {layers}"));
        }
        if vision.image_size > 4096 || vision.patch_size > vision.image_size {
            return corrupt(format!("patches of {} pixels in tiles of {}", vision.patch_size, vision.image_size));
        }
        if vision.hidden_size % vision.num_attention_heads != 0 {
            let (hidden, heads) = (vision.hidden_size, vision.num_attention_heads);
            return corrupt(format!("vision hidden_size {hidden} does not divide into {heads} heads"));
        }
        if !text.num_attention_heads.is_multiple_of(self.kv_heads()) || !self.head_dim().is_multiple_of(2) {
            let (heads, kv, dim) = (text.num_attention_heads, self.kv_heads(), self.head_dim());
            return corrupt(format!("{heads} heads of {dim} values do not share {kv} key and value heads"));
        }
        if !self.grid().is_multiple_of(self.scale_factor) || !vision.image_size.is_multiple_of(vision.patch_size) {
            let (grid, scale) = (self.grid(), self.scale_factor);
            return corrupt(format!("a grid of {grid} patches a side does not divide by scale_factor {scale}"));
        }
        if self.image_token_id as usize >= text.vocab_size {
            return corrupt(format!("image_token_id {} is outside the vocabulary", self.image_token_id));
        }
        let theta = self.rope_theta() as f32;
        for (name, value) in
            [("rope_theta", theta), ("layer_norm_eps", vision.layer_norm_eps), ("rms_norm_eps", text.rms_norm_eps)]
        {
            if !value.is_finite() || value <= 0.0 {
                return corrupt(format!("{name} is {value}"));
            }
        }
        let scaled = [&text.rope_scaling, &text.rope_parameters].into_iter().flatten();
        let scaled = scaled.filter_map(|rope| rope.rope_type.as_deref()).find(|kind| *kind != "default");
        if let Some(kind) = scaled {
            return Err(Error::UnsupportedModel(format!("rotary positions of type {kind} are not read")));
        }
        if text.attention_bias || text.mlp_bias || text.hidden_act != Activation::Silu {
            return Err(Error::UnsupportedModel("a text model with biases, or another activation than silu".into()));
        }
        Ok(())
    }

    /// Patches along a side of a tile.
    pub fn grid(&self) -> usize {
        self.vision_config.image_size / self.vision_config.patch_size
    }

    /// Tokens that a tile becomes.
    pub fn image_seq_len(&self) -> usize {
        (self.grid() / self.scale_factor).pow(2)
    }

    /// Heads of keys and values.
    pub fn kv_heads(&self) -> usize {
        self.text_config.num_key_value_heads.unwrap_or(self.text_config.num_attention_heads)
    }

    /// Channels of a head of the text model.
    pub fn head_dim(&self) -> usize {
        let text = &self.text_config;
        text.head_dim.unwrap_or(text.hidden_size / text.num_attention_heads.max(1))
    }

    /// The base of the rotary positions' wavelengths.
    pub fn rope_theta(&self) -> f64 {
        let text = &self.text_config;
        text.rope_theta.or(text.rope_parameters.as_ref().and_then(|rope| rope.rope_theta)).unwrap_or(10_000.0)
    }
}

/// `preprocessor_config.json`, or the part of `processor_config.json` that newer versions write instead.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageConfig {
    size: LongestEdge,
    max_image_size: LongestEdge,
    #[serde(default = "default::yes")]
    pub do_image_splitting: bool,
    #[serde(default = "default::lanczos")]
    resample: u64,
    #[serde(default = "default::rescale_factor")]
    pub rescale_factor: f64,
    #[serde(default = "default::half")]
    pub image_mean: [f32; 3],
    #[serde(default = "default::half")]
    pub image_std: [f32; 3],
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct LongestEdge {
    longest_edge: u32,
}

impl ImageConfig {
    /// Reads the processor's settings in `dir`, and checks that they belong to `config`.
    ///
    /// # Errors
    /// `CorruptModel` with the file at fault.
    pub fn read(dir: &Path, config: &Config) -> Result<Self> {
        #[derive(Deserialize)]
        struct Joint {
            image_processor: Option<ImageConfig>,
            image_seq_len: Option<usize>,
        }
        let (own, joint) = (dir.join("preprocessor_config.json"), dir.join("processor_config.json"));
        let processor: Option<Joint> = read_optional(&joint)?;
        let nested = processor.as_ref().and_then(|joint| joint.image_processor.clone());
        let (place, image) = match nested {
            Some(image) if !own.exists() => (joint.clone(), image),
            _ => (own.clone(), read_json(&own)?),
        };
        image.check(config).map_err(|error| error.within(&place))?;
        match processor.and_then(|joint| joint.image_seq_len).filter(|len| *len != config.image_seq_len()) {
            Some(len) => {
                let own = config.image_seq_len();
                let what = format!("image_seq_len is {len}, but config.json makes {own} tokens of a tile");
                Err(Error::CorruptModel(what).within(&joint))
            }
            None => Ok(image),
        }
    }

    /// Do the settings belong to `config`?
    ///
    /// # Errors
    /// `CorruptModel` if not.
    pub fn check(&self, config: &Config) -> Result<()> {
        let (tile, longest) = (self.tile(), self.longest_edge());
        let corrupt = |what: String| Err(Error::CorruptModel(what));
        if tile as usize != config.vision_config.image_size {
            let size = config.vision_config.image_size;
            return corrupt(format!("tiles of {tile} pixels do not fit a vision tower for {size}"));
        }
        if longest < tile || longest.div_ceil(tile) > MOST_TILES || longest > 4096 {
            return corrupt(format!("a longest edge of {longest} pixels for tiles of {tile} is not plausible"));
        }
        normalization::check(self.rescale_factor, self.image_mean, self.image_std)?;
        self.filter().map(drop)
    }

    /// Pixels along a side of a tile.
    pub fn tile(&self) -> u32 {
        self.max_image_size.longest_edge
    }

    /// Pixels along the longer side of the picture that is cut into tiles.
    pub fn longest_edge(&self) -> u32 {
        self.size.longest_edge
    }

    /// Tiles along a side of the largest picture.
    pub fn most_tiles(&self) -> usize {
        self.longest_edge().div_ceil(self.tile()) as usize
    }

    /// The filter of every resize.
    pub fn filter(&self) -> Result<Filter> {
        Filter::from_pillow(self.resample).map_err(|error| Error::CorruptModel(error.to_string()))
    }
}

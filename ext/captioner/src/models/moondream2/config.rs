//! `config.json`. The published one says `"config": {}`: everything is a default of the code that it was published with.

use serde::Deserialize;

use super::crops::Cropping;
use crate::{Error, Result};

/// Windows of an image; published checkpoints have twelve.
const MOST_CROPS: usize = 64;

/// The whole of it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Config {
    #[serde(default)]
    pub config: Sections,
}

/// What is under `config`. Points and boxes (`region`) are no captions' business.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Sections {
    pub text: TextConfig,
    pub vision: VisionConfig,
    pub tokenizer: TokenizerConfig,
}

/// The language model.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct TextConfig {
    pub dim: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    /// Heads of keys and values; as many as of queries in this revision.
    pub n_kv_heads: Option<usize>,
    /// Hidden features of an MLP; four times `dim` in this revision.
    pub ff_dim: Option<usize>,
    pub vocab_size: usize,
    /// Positions.
    pub max_context: usize,
    /// Positions that see each other: the first token and the image.
    pub prefix_attn: usize,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            dim: 2048,
            n_layers: 24,
            n_heads: 32,
            n_kv_heads: None,
            ff_dim: None,
            vocab_size: 51200,
            max_context: 2048,
            prefix_attn: 730,
        }
    }
}

impl TextConfig {
    /// Hidden features of an MLP.
    pub fn hidden(&self) -> usize {
        self.ff_dim.unwrap_or_else(|| self.dim.saturating_mul(4))
    }

    /// Channels of a head.
    pub fn head_dim(&self) -> usize {
        self.dim / self.n_heads.max(1)
    }
}

/// The vision tower, its crops and the projector.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct VisionConfig {
    pub enc_dim: usize,
    pub enc_patch_size: usize,
    pub enc_n_layers: usize,
    pub enc_ff_dim: usize,
    pub enc_n_heads: usize,
    pub in_channels: usize,
    pub crop_size: usize,
    pub max_crops: usize,
    /// Patches of a window's margin.
    pub overlap_margin: usize,
    pub proj_inner_dim: usize,
    pub proj_out_dim: usize,
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            enc_dim: 1152,
            enc_patch_size: 14,
            enc_n_layers: 27,
            enc_ff_dim: 4304,
            enc_n_heads: 16,
            in_channels: 3,
            crop_size: 378,
            max_crops: 12,
            overlap_margin: 4,
            proj_inner_dim: 8192,
            proj_out_dim: 2048,
        }
    }
}

impl VisionConfig {
    /// Patches of a crop's side.
    pub fn grid(&self) -> usize {
        self.crop_size / self.enc_patch_size.max(1)
    }

    /// How images are cut.
    pub fn cropping(&self) -> Cropping {
        Cropping {
            crop_size: self.crop_size,
            patch_size: self.enc_patch_size,
            overlap_margin: self.overlap_margin,
            max_crops: self.max_crops,
        }
    }
}

/// Token ids that the code knows by heart.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct TokenizerConfig {
    pub bos_id: u32,
    pub eos_id: u32,
    pub templates: Templates,
}

impl Default for TokenizerConfig {
    fn default() -> Self {
        Self { bos_id: 50256, eos_id: 50256, templates: Templates::default() }
    }
}

/// Prompts as token ids. What is null or left out the model cannot do.
#[derive(Debug, Clone, Deserialize)]
pub struct Templates {
    pub caption: Option<CaptionTemplates>,
    pub query: Option<QueryTemplate>,
}

/// `"\n\nShort caption:"` and `"\n\nCaption:"`.
#[derive(Debug, Clone, Deserialize)]
pub struct CaptionTemplates {
    pub short: Vec<u32>,
    pub normal: Vec<u32>,
}

/// `"\n\nQuestion:"`, the question after a space, `"\n\nAnswer:"`.
#[derive(Debug, Clone, Deserialize)]
pub struct QueryTemplate {
    pub prefix: Vec<u32>,
    pub suffix: Vec<u32>,
}

impl Default for Templates {
    fn default() -> Self {
        Self {
            caption: Some(CaptionTemplates {
                short: vec![198, 198, 16438, 8305, 25],
                normal: vec![198, 198, 24334, 1159, 25],
            }),
            query: Some(QueryTemplate { prefix: vec![198, 198, 24361, 25], suffix: vec![198, 198, 33706, 25] }),
        }
    }
}

impl Config {
    /// From the text of `config.json`.
    ///
    /// # Errors
    /// `CorruptModel` for what is not a configuration, `UnsupportedModel` for one of another revision or of shapes that do not
    /// fit together.
    pub fn from_json(text: &str) -> Result<Self> {
        let config: Self = serde_json::from_str(text)
            .map_err(|error| Error::CorruptModel(format!("config.json is not moondream2's: {error}")))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let Sections { text, vision, tokenizer } = &self.config;
        let sizes = [
            ("text.dim", text.dim),
            ("text.n_layers", text.n_layers),
            ("text.n_heads", text.n_heads),
            ("text.vocab_size", text.vocab_size),
            ("text.ff_dim", text.hidden()),
            ("text.max_context", text.max_context),
            ("vision.enc_dim", vision.enc_dim),
            ("vision.enc_patch_size", vision.enc_patch_size),
            ("vision.enc_n_layers", vision.enc_n_layers),
            ("vision.enc_ff_dim", vision.enc_ff_dim),
            ("vision.enc_n_heads", vision.enc_n_heads),
            ("vision.proj_inner_dim", vision.proj_inner_dim),
            ("vision.overlap_margin", vision.overlap_margin.saturating_add(1)),
        ];
        for (name, size) in sizes {
            sensible((1..1 << 20).contains(&size), || format!("{name} is {size}"))?;
        }
        sensible((1..=MOST_CROPS).contains(&vision.max_crops), || format!("vision.max_crops is {}", vision.max_crops))?;
        sensible((1..=4096).contains(&vision.crop_size), || format!("vision.crop_size is {}", vision.crop_size))?;
        require(text.n_kv_heads.is_none_or(|heads| heads == text.n_heads), || {
            format!("text.n_kv_heads is {:?}, a later revision's", text.n_kv_heads)
        })?;
        require(text.dim % text.n_heads == 0 && text.head_dim() % 4 == 0, || {
            format!("{} text channels cannot be shared out to {} heads that turn by half", text.dim, text.n_heads)
        })?;
        require(vision.in_channels == 3, || format!("vision.in_channels is {}", vision.in_channels))?;
        require(vision.proj_out_dim == text.dim, || {
            format!("vision.proj_out_dim is {}, text.dim {}", vision.proj_out_dim, text.dim)
        })?;
        let (grid, margins) = (vision.grid(), 2 * vision.overlap_margin);
        require(grid * vision.enc_patch_size == vision.crop_size && grid > margins, || {
            format!(
                "crops of {} pixels are not patches of {} around margins of {}",
                vision.crop_size, vision.enc_patch_size, vision.overlap_margin
            )
        })?;
        require(text.prefix_attn == 1 + grid * grid, || {
            format!("text.prefix_attn is {}, an image has {} patches", text.prefix_attn, grid * grid)
        })?;
        require((tokenizer.bos_id as usize) < text.vocab_size, || {
            format!("tokenizer.bos_id is {}, text.vocab_size {}", tokenizer.bos_id, text.vocab_size)
        })
    }
}

/// What no revision can have.
fn sensible(holds: bool, what: impl Fn() -> String) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::CorruptModel(format!("config.json cannot be right: {}", what())))
}

fn require(holds: bool, what: impl Fn() -> String) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::UnsupportedModel(format!("config.json describes no moondream2 of revision 2025-01-09: {}", what())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_configuration_is_all_defaults() {
        let text = r#"{"architectures": ["HfMoondream"], "config": {}, "model_type": "moondream1"}"#;
        let Sections { text, vision, tokenizer } = Config::from_json(text).unwrap().config;
        assert_eq!((text.dim, text.head_dim(), text.hidden(), text.max_context), (2048, 64, 8192, 2048));
        assert_eq!((vision.grid(), vision.enc_dim / vision.enc_n_heads), (27, 72));
        assert_eq!(tokenizer.eos_id, 50256);
    }

    #[test]
    fn what_does_not_fit_together_says_what() {
        for (config, what) in [
            (r#"{"text": {"n_kv_heads": 8}}"#, "a later revision"),
            (r#"{"text": {"dim": 2050}}"#, "2050 text channels"),
            (r#"{"vision": {"in_channels": 1}}"#, "in_channels is 1"),
            (r#"{"vision": {"proj_out_dim": 1024}}"#, "proj_out_dim is 1024"),
            (r#"{"vision": {"crop_size": 380}}"#, "crops of 380 pixels"),
            (r#"{"vision": {"overlap_margin": 14}}"#, "margins of 14"),
            (r#"{"vision": {"crop_size": 364}}"#, "prefix_attn is 730"),
            (r#"{"tokenizer": {"bos_id": 51200}}"#, "bos_id is 51200"),
        ] {
            let error = Config::from_json(&format!(r#"{{"config": {config}}}"#)).unwrap_err();
            assert!(matches!(error, Error::UnsupportedModel(_)), "{config}: {error:?}");
            assert!(error.to_string().contains(what), "{config}: {error}");
        }
    }

    #[test]
    fn what_no_model_can_have_is_a_fault_of_the_file() {
        let huge = u64::MAX;
        for (config, what) in [
            (r#"{"text": {"dim": "wide"}}"#.to_string(), "invalid type"),
            (r#"{"text": {"dim": 0}}"#.into(), "text.dim is 0"),
            (format!(r#"{{"text": {{"dim": {huge}}}}}"#), "text.dim is 18446744073709551615"),
            (format!(r#"{{"text": {{"ff_dim": {huge}}}}}"#), "text.ff_dim"),
            (format!(r#"{{"text": {{"max_context": {huge}}}}}"#), "text.max_context"),
            (format!(r#"{{"vision": {{"enc_ff_dim": {huge}}}}}"#), "vision.enc_ff_dim"),
            (format!(r#"{{"vision": {{"proj_inner_dim": {huge}}}}}"#), "vision.proj_inner_dim"),
            (format!(r#"{{"vision": {{"overlap_margin": {}}}}}"#, huge / 2), "vision.overlap_margin"),
            (format!(r#"{{"vision": {{"crop_size": {huge}}}}}"#), "vision.crop_size"),
            // Windows of which an image of a million pixels a side would be filled.
            (r#"{"vision": {"max_crops": 1000000}}"#.into(), "vision.max_crops is 1000000"),
        ] {
            let error = Config::from_json(&format!(r#"{{"config": {config}}}"#)).unwrap_err();
            assert!(matches!(error, Error::CorruptModel(_)), "{config}: {error:?}");
            assert!(error.to_string().contains(what), "{config}: {error}");
        }
    }
}

//! The vision tower's part of `config.json`, in both layouts.

use serde::Deserialize;

use crate::nn::Activation;

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

impl FeatureSource {
    /// Tokens of a grid of `grid` that the projector hands on.
    pub fn tokens(self, grid: usize) -> usize {
        match self {
            FeatureSource::SpatialAvgPool => 1,
            FeatureSource::TemporalAvgPool | FeatureSource::LastFrame => grid,
        }
    }
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

impl VisionConfig {
    /// Are the position tables of the only kinds that there are? Says which is not.
    pub fn check_positions(&self) -> Result<(), String> {
        if self.image_pos_embed.as_ref().is_some_and(|p| p.r#type != "learned_abs_2d") {
            return Err("image_pos_embed is not of type learned_abs_2d".into());
        }
        if self.visual_temporal_embedding.as_ref().is_some_and(|p| p.r#type != "COSINE") {
            return Err("visual_temporal_embedding is not of type COSINE".into());
        }
        Ok(())
    }

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

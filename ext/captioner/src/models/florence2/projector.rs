//! From the tower's last grid to the language model's input: positions, pooling, projection, norm (transformers,
//! `Florence2MultiModalProjector`).

use candle_core::{Device, Tensor};

use super::vision_config::{FeatureSource, VisionConfig};
use crate::nn::{with_values, LayerNorm, Linear};
use crate::weights::Scope;
use crate::{Error, Result};

/// The multi-modal projector.
pub struct Projector {
    /// `[positions, channels / 2]` each: the first half of a position is its column, the second its row.
    columns: Vec<f32>,
    rows: Vec<f32>,
    channels: usize,
    sources: Vec<FeatureSource>,
    projection: Linear,
    norm: LayerNorm,
}

impl Projector {
    /// Reads `image_projection`, `image_proj_norm` and `image_pos_embed` at the root.
    pub fn load(config: &VisionConfig, scope: Scope) -> Result<Self> {
        let channels = config.embed_dim[config.embed_dim.len() - 1];
        let positions = config.image_positions();
        let table = |name: &str, width: usize| {
            let table = scope.pp("image_pos_embed").pp(name).matrix("weight", positions, width)?;
            let mut values = vec![0.0; positions * width];
            table.dequantize_rows(0..positions, &mut values);
            Ok::<_, Error>(values)
        };
        let projection = scope.matrix("image_projection", config.projection_dim, channels)?;
        Ok(Self {
            rows: table("row_embeddings", channels / 2)?,
            columns: table("column_embeddings", channels - channels / 2)?,
            channels,
            sources: config.feature_sources(),
            projection: Linear::new(projection, None),
            norm: LayerNorm::load(config.projection_dim, scope.pp("image_proj_norm"))?,
        })
    }

    /// `[height * width, channels]` to `[tokens, projection_dim]`: one token for a pooled source, the grid for another. The
    /// model has checked that there are positions for the grid.
    pub fn forward(&self, x: &Tensor, width: usize) -> Result<Tensor> {
        let grid = with_values(x, |x| self.with_positions(x, width))?;
        let mut features = Vec::new();
        for source in &self.sources {
            match source {
                FeatureSource::SpatialAvgPool => features.extend(self.mean(&grid)),
                // There is one frame, so its average over time is itself.
                FeatureSource::TemporalAvgPool | FeatureSource::LastFrame => features.extend_from_slice(&grid),
            }
        }
        let tokens = features.len() / self.channels;
        let features = Tensor::from_vec(features, (tokens, self.channels), &Device::Cpu)?;
        self.norm.forward(&self.projection.forward(&features)?)
    }

    fn with_positions(&self, x: &[f32], width: usize) -> Vec<f32> {
        let mut grid = x.to_vec();
        let half = self.channels - self.channels / 2;
        for (token, values) in grid.chunks_exact_mut(self.channels).enumerate() {
            let column = &self.columns[token % width * half..][..half];
            let row = &self.rows[token / width * (self.channels / 2)..][..self.channels / 2];
            for (channel, (value, position)) in values.iter_mut().zip(column.iter().chain(row)).enumerate() {
                // Frame 0 of the cosine table: sin 0 on even channels, cos 0 on odd ones.
                *value = (*value + position) + (channel % 2) as f32;
            }
        }
        grid
    }

    fn mean(&self, grid: &[f32]) -> Vec<f32> {
        let mut sums = vec![0f64; self.channels];
        for values in grid.chunks_exact(self.channels) {
            sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += f64::from(*v));
        }
        let tokens = (grid.len() / self.channels) as f64;
        sums.into_iter().map(|sum| (sum / tokens) as f32).collect()
    }
}

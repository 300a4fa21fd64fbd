//! Crops to image embeddings: a vision transformer over each crop, and a projector over what they make together.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::config::VisionConfig;
use super::crops::Tiling;
use super::stitch::{pool, stitch, Grid};
use crate::blocks::{PatchEmbedding, Vit, VitConfig, VitNames};
use crate::image::RgbImage;
use crate::kernels::{gelu_tanh, TILE_ROWS};
use crate::nn::{in_place, with_values, Activation, Linear, PatchConv, QkvNames};
use crate::weights::Scope;
use crate::Result;

/// Crops that go through the tower together: a weight is unpacked once for them, and no more of them are in memory.
const TOGETHER: usize = 2;

/// `torch.nn.functional.layer_norm`'s default, which the reference keeps everywhere.
pub(super) const EPS: f32 = 1e-5;

/// The vision tower and the projector.
pub struct Vision {
    embedding: PatchEmbedding,
    vit: Vit,
    fc1: Linear,
    fc2: Linear,
    grid: Grid,
    crop_size: usize,
}

/// The crops of an image on their way through the tower.
pub struct Progress {
    pub tiling: Tiling,
    crops: std::vec::IntoIter<RgbImage>,
    /// Crops that are worked on, and how many layers they are through.
    now: Option<(Tensor, usize)>,
    /// Features of the crops that are done, `[patches, channels]` each, one after the other.
    done: Vec<f32>,
    /// Those of all crops, when the last is done.
    features: Option<Tensor>,
}

impl Progress {
    /// Nothing is computed yet.
    pub fn new(tiling: Tiling, crops: Vec<RgbImage>) -> Self {
        Self { tiling, crops: crops.into_iter(), now: None, done: Vec::new(), features: None }
    }

    /// Features of all crops, the whole image first, `[crops * patches, channels]`, when they are through the tower.
    pub fn features(&self) -> Option<&Tensor> {
        self.features.as_ref()
    }
}

impl Vision {
    /// Reads the tower and the projector at `scope`.
    pub fn load(config: &VisionConfig, scope: Scope) -> Result<Self> {
        let (dim, patch, grid) = (config.enc_dim, config.enc_patch_size, config.grid());
        let patches = scope.pp("patch_emb");
        let weight = patches.matrix("weight", dim, config.in_channels * patch * patch)?;
        let conv = PatchConv::from_linear(weight, patches.vector("bias", dim)?, patch);
        let positions = scope.tensor("pos_emb", &[1, grid * grid, dim])?;
        let vit = VitConfig {
            hidden: dim,
            heads: config.enc_n_heads,
            layers: config.enc_n_layers,
            mlp_hidden: config.enc_ff_dim,
            eps: EPS,
            activation: Activation::GeluTanh,
            names: VitNames {
                layers: "blocks",
                attention_norm: "ln1",
                qkv: QkvNames::Fused("attn.qkv"),
                attention_out: "attn.proj",
                mlp_norm: "ln2",
                mlp: ["mlp.fc1", "mlp.fc2"],
                final_norm: "post_ln",
            },
        };
        let projector = scope.pp("proj_mlp");
        Ok(Self {
            embedding: PatchEmbedding::new(conv, positions, patch),
            fc1: Linear::load(2 * dim, config.proj_inner_dim, true, projector.pp("fc1"))?,
            fc2: Linear::load(config.proj_inner_dim, config.proj_out_dim, true, projector.pp("fc2"))?,
            vit: Vit::load(&vit, scope)?,
            grid: Grid { side: grid, margin: config.overlap_margin, channels: dim },
            crop_size: config.crop_size,
        })
    }

    /// Does the next piece of work: the patches of some crops, or a layer for them.
    pub fn step(&self, progress: &mut Progress) -> Result<()> {
        let Some((x, layer)) = &mut progress.now else {
            let crops: Vec<RgbImage> = progress.crops.by_ref().take(TOGETHER).collect();
            if !crops.is_empty() {
                let x = self.embedding.forward(&pixels(&crops)?, (self.crop_size, self.crop_size))?;
                progress.now = Some((x, 0));
            }
            return Ok(());
        };
        if *layer < self.vit.layers() {
            self.vit.layer(*layer, x, self.grid.tokens())?;
            *layer += 1;
        }
        if *layer == self.vit.layers() {
            with_values(&self.vit.norm(x)?, |x| progress.done.extend_from_slice(x))?;
            progress.now = None;
            if progress.crops.len() == 0 {
                let (done, channels) = (std::mem::take(&mut progress.done), self.grid.channels);
                let rows = done.len() / channels;
                progress.features = Some(Tensor::from_vec(done, (rows, channels), &Device::Cpu)?);
            }
        }
        Ok(())
    }

    /// The image's embeddings, `[patches, proj_out_dim]`, from the features of all its crops.
    pub fn project(&self, features: &Tensor, tiling: Tiling) -> Result<Tensor> {
        let tokens = self.grid.tokens();
        let joined = with_values(features, |features| self.join(features, tiling))?;
        let joined = Tensor::from_vec(joined, (tokens, 2 * self.grid.channels), &Device::Cpu)?;
        let hidden = self.fc1.forward(&joined)?;
        in_place(&hidden, |hidden| hidden.par_chunks_mut(TILE_ROWS * 16).for_each(gelu_tanh))?;
        self.fc2.forward(&hidden)
    }

    /// Beside each feature of the whole image what the windows have there, `[patches, 2 * channels]`.
    fn join(&self, features: &[f32], tiling: Tiling) -> Vec<f32> {
        let channels = self.grid.channels;
        let (whole, windows) = features.split_at(self.grid.tokens() * channels);
        // A single window is the whole image.
        let windows = if windows.is_empty() { whole } else { windows };
        let (height, width, stitched) = stitch(windows, tiling, self.grid);
        let pooled = pool(&stitched, (height, width), self.grid);
        let pairs = whole.chunks_exact(channels).zip(pooled.chunks_exact(channels));
        pairs.flat_map(|(whole, pooled)| [whole, pooled].concat()).collect()
    }
}

/// Values of bytes, from -1 to 1, channels last, images one below the other: `[images * side * side, 3]`.
fn pixels(images: &[RgbImage]) -> Result<Tensor> {
    let table: Vec<f32> = (0..=255u8).map(|value| f32::from(value) / 127.5 - 1.0).collect();
    let values: Vec<f32> =
        images.iter().flat_map(|image| &image.data).map(|&value| table[usize::from(value)]).collect();
    let rows = values.len() / 3;
    Ok(Tensor::from_vec(values, (rows, 3), &Device::Cpu)?)
}

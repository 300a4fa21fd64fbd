//! DaViT, the vision tower: four stages of strided patch embedding and dual attention blocks, each a spatial (window
//! attention) and a channel (attention among channels) half.
//!
//! - DaViT: Dual Attention Vision Transformers, arXiv 2204.03645
//! - transformers, `models/florence2/modeling_florence2.py`, `Florence2VisionBackbone`
//!
//! Images are channels-last: `[height * width, channels]`.

use candle_core::Tensor;

use super::vision_config::VisionConfig;
use crate::nn::{
    self, with_values, ChannelAttention, DepthwiseConv, LayerNorm, Linear, Mlp, PatchConv, WindowAttention,
};
use crate::weights::Scope;
use crate::Result;

/// The vision tower.
pub struct DaViT {
    stages: Vec<Stage>,
}

struct Stage {
    embed: PatchEmbed,
    blocks: Vec<(SpatialBlock, ChannelBlock)>,
}

/// An image on its way through the tower, after some number of steps.
pub struct Progress {
    /// `[height * width, channels]`
    pub x: Tensor,
    /// Height and width in tokens.
    pub size: (usize, usize),
    stage: usize,
    /// Steps done in this stage: the embedding, then two for each block.
    done: usize,
    /// Room that blocks work in.
    room: Vec<f32>,
}

impl Progress {
    /// The part of the tower that the next step works on.
    pub fn part(&self) -> String {
        let part = match self.done {
            0 => "patch embedding",
            n if n % 2 == 1 => "spatial blocks",
            _ => "channel blocks",
        };
        format!("vision stage {}, {part}", self.stage + 1)
    }
}

/// What the last step finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The patch embedding of a stage.
    Embedding(usize),
    /// Half a block.
    Inside,
    /// The last block of a stage that is not the last.
    Stage(usize),
    /// The end of the tower, after the given last stage.
    End(usize),
}

impl DaViT {
    /// Reads `convs` and `blocks` at `scope`.
    pub fn load(config: &VisionConfig, scope: Scope) -> Result<Self> {
        let stages =
            (0..config.embed_dim.len()).map(|stage| Stage::load(config, stage, &scope)).collect::<Result<_>>()?;
        Ok(Self { stages })
    }

    /// Starts with an image `[height * width, 3]`.
    pub fn start(&self, x: Tensor, size: (usize, usize)) -> Progress {
        Progress { x, size, stage: 0, done: 0, room: Vec::new() }
    }

    /// One step: a patch embedding or half a block, which changes `progress.x` in place.
    pub fn step(&self, progress: &mut Progress) -> Result<Reached> {
        let (number, stage) = (progress.stage, &self.stages[progress.stage]);
        let width = progress.size.1;
        match progress.done {
            0 => (progress.x, progress.size) = stage.embed.forward(&progress.x, progress.size, &mut progress.room)?,
            n => {
                let (spatial, channel) = &stage.blocks[(n - 1) / 2];
                if n % 2 == 1 {
                    spatial.forward(&progress.x, width)?;
                } else {
                    channel.forward(&progress.x, width, &mut progress.room)?;
                }
            }
        }
        progress.done += 1;
        if progress.done <= 2 * stage.blocks.len() {
            return Ok(if progress.done == 1 { Reached::Embedding(number) } else { Reached::Inside });
        }
        (progress.stage, progress.done) = (number + 1, 0);
        Ok(if progress.stage == self.stages.len() { Reached::End(number) } else { Reached::Stage(number) })
    }
}

impl Stage {
    fn load(config: &VisionConfig, stage: usize, scope: &Scope) -> Result<Self> {
        let blocks = scope.pp("blocks").pp(stage);
        let blocks = (0..config.depths[stage])
            .map(|block| {
                let block = blocks.pp(block);
                let spatial = SpatialBlock::load(config, stage, block.pp("spatial_block"))?;
                Ok((spatial, ChannelBlock::load(config, stage, block.pp("channel_block"))?))
            })
            .collect::<Result<_>>()?;
        Ok(Self { embed: PatchEmbed::load(config, stage, scope.pp("convs").pp(stage))?, blocks })
    }
}

/// A strided convolution with a layer norm before or after it.
struct PatchEmbed {
    proj: PatchConv,
    norm: LayerNorm,
    norm_first: bool,
}

impl PatchEmbed {
    fn load(config: &VisionConfig, stage: usize, scope: Scope) -> Result<Self> {
        let inputs = if stage == 0 { config.in_channels } else { config.embed_dim[stage - 1] };
        let outputs = config.embed_dim[stage];
        let geometry = (config.patch_size[stage], config.patch_stride[stage], config.patch_padding[stage]);
        let norm_first = config.patch_prenorm[stage];
        let proj = PatchConv::load(inputs, outputs, geometry, scope.pp("proj"))?;
        // After a norm a few channels are much larger than the others, and nine of their pixels share one scale of int8: these
        // convolutions have the largest errors of all layers, and hardly any time is spent in them.
        Ok(Self {
            proj: if norm_first { proj.finer() } else { proj },
            norm: LayerNorm::load(if norm_first { inputs } else { outputs }, scope.pp("norm"))?,
            norm_first,
        })
    }

    /// With `room` to work in.
    fn forward(&self, x: &Tensor, size: (usize, usize), room: &mut Vec<f32>) -> Result<(Tensor, (usize, usize))> {
        with_values(x, |x| {
            if !self.norm_first {
                return self.proj.forward_rows(x, size, Some(&self.norm));
            }
            let room = nn::room(room, x.len());
            self.norm.forward_all(x, room);
            self.proj.forward_rows(room, size, None)
        })?
    }
}

/// Depthwise convolution, window attention, depthwise convolution, MLP; each with a residual.
struct SpatialBlock {
    conv1: DepthwiseConv,
    attention: WindowAttention,
    conv2: DepthwiseConv,
    ffn: FeedForward,
}

impl SpatialBlock {
    fn load(config: &VisionConfig, stage: usize, scope: Scope) -> Result<Self> {
        let dim = config.embed_dim[stage];
        let (norm, qkv, proj) = attention(config, dim, scope.pp("window_attn"))?;
        Ok(Self {
            conv1: DepthwiseConv::load(dim, scope.pp("conv1.fn.dw"))?,
            attention: WindowAttention::new(norm, qkv, proj, config.num_heads[stage], config.window_size),
            conv2: DepthwiseConv::load(dim, scope.pp("conv2.fn.dw"))?,
            ffn: FeedForward::load(config, stage, scope.pp("ffn"))?,
        })
    }

    /// In place.
    fn forward(&self, x: &Tensor, width: usize) -> Result<()> {
        self.conv1.forward(x, width)?;
        self.attention.forward(x, width)?;
        self.conv2.forward(x, width)?;
        self.ffn.forward(x)
    }
}

/// The same with channel attention.
struct ChannelBlock {
    conv1: DepthwiseConv,
    attention: ChannelAttention,
    conv2: DepthwiseConv,
    ffn: FeedForward,
}

impl ChannelBlock {
    fn load(config: &VisionConfig, stage: usize, scope: Scope) -> Result<Self> {
        let dim = config.embed_dim[stage];
        let (norm, qkv, proj) = attention(config, dim, scope.pp("channel_attn"))?;
        Ok(Self {
            conv1: DepthwiseConv::load(dim, scope.pp("conv1.fn.dw"))?,
            attention: ChannelAttention::new(norm, qkv, proj, config.num_groups[stage]),
            conv2: DepthwiseConv::load(dim, scope.pp("conv2.fn.dw"))?,
            ffn: FeedForward::load(config, stage, scope.pp("ffn"))?,
        })
    }

    /// In place, with `room` to work in.
    fn forward(&self, x: &Tensor, width: usize, room: &mut Vec<f32>) -> Result<()> {
        self.conv1.forward(x, width)?;
        self.attention.forward(x, room)?;
        self.conv2.forward(x, width)?;
        self.ffn.forward(x)
    }
}

/// The parts that both kinds of attention have.
fn attention(config: &VisionConfig, dim: usize, scope: Scope) -> Result<(LayerNorm, Linear, Linear)> {
    Ok((
        LayerNorm::load(dim, scope.pp("norm"))?,
        Linear::load(dim, 3 * dim, config.qkv_bias, scope.pp("fn.qkv"))?,
        Linear::load(dim, dim, true, scope.pp("fn.proj"))?,
    ))
}

/// `x += mlp(norm(x))`.
struct FeedForward {
    norm: LayerNorm,
    mlp: Mlp,
}

impl FeedForward {
    fn load(config: &VisionConfig, stage: usize, scope: Scope) -> Result<Self> {
        let (dim, hidden) = (config.embed_dim[stage], config.hidden_dim(stage));
        let fc1 = Linear::load(dim, hidden, true, scope.pp("fn.net.fc1"))?;
        let fc2 = Linear::load(hidden, dim, true, scope.pp("fn.net.fc2"))?;
        let mlp = Mlp::new(fc1, fc2, config.activation_function);
        Ok(Self { norm: LayerNorm::load(dim, scope.pp("norm"))?, mlp })
    }

    fn forward(&self, x: &Tensor) -> Result<()> {
        self.mlp.forward_pre_norm(x, &self.norm)
    }
}

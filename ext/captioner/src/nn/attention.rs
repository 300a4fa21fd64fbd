//! The attention layers of DaViT (windows, channels) and of BART (self, cached).

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{in_place, rows, with_values, LayerNorm, Linear};
use crate::kernels::{
    add, add_channel_scores, attend, attend_cached, mix_channels, softmax, Epilogue, Heads, Scratch, TILE_ROWS,
};
use crate::weights::Scope;
use crate::Result;

/// Attention among the tokens of square windows, with its norm before and its residual after.
///
/// An image whose sides are no multiples of the window is padded with zeros at the right and the bottom after the norm,
/// as in the reference; the padding takes part as keys and values (which are the biases).
pub struct WindowAttention {
    norm: LayerNorm,
    qkv: Linear,
    proj: Linear,
    heads: usize,
    window: usize,
}

impl WindowAttention {
    /// The norm, the fused projection to queries, keys and values, and the output projection.
    pub fn new(norm: LayerNorm, qkv: Linear, proj: Linear, heads: usize, window: usize) -> Self {
        Self { norm, qkv, proj, heads, window }
    }

    /// `x += proj(attention(norm(x)))`, in place, for an image `[height * width, channels]`.
    pub fn forward(&self, x: &Tensor, width: usize) -> Result<()> {
        let (channels, side) = (self.proj.outputs(), self.window);
        in_place(x, |x| {
            // A window's rows are runs of `side` tokens, spread over the image: one task takes a band of windows.
            x.par_chunks_mut(side * width * channels).for_each(|x| {
                for left in (0..width).step_by(side) {
                    self.window(x, width, left);
                }
            });
        })
    }

    /// One window of a band of image rows, from token column `left` on.
    fn window(&self, x: &mut [f32], width: usize, left: usize) {
        let (channels, side) = (self.proj.outputs(), self.window);
        let tokens = side * side;
        let run = side.min(width - left) * channels;
        let mut normed = Scratch::zeros(tokens * channels);
        for (row, x) in x.chunks_exact(width * channels).enumerate() {
            let at = row * side * channels;
            self.norm.forward_rows(&x[left * channels..][..run], &mut normed[at..at + run]);
        }
        let mut qkv = Scratch::take(tokens * 3 * channels);
        self.qkv.forward_rows(&normed, Epilogue::Store, &mut qkv);
        let heads = Heads { count: self.heads, dim: channels / self.heads, stride: 3 * channels };
        let scale = (heads.dim as f32).powf(-0.5);
        attend(&qkv, &qkv[channels..], &qkv[2 * channels..], tokens, heads, scale, &mut normed);
        let mut projected = Scratch::take(tokens * channels);
        self.proj.forward_rows(&normed, Epilogue::Store, &mut projected);
        for (row, x) in x.chunks_exact_mut(width * channels).enumerate() {
            add(&mut x[left * channels..][..run], &projected[row * side * channels..][..run]);
        }
    }
}

/// Attention among the channels of each group, with its norm before and its residual after.
pub struct ChannelAttention {
    norm: LayerNorm,
    qkv: Linear,
    proj: Linear,
    groups: usize,
}

impl ChannelAttention {
    /// The norm, the fused projection to queries, keys and values, and the output projection.
    pub fn new(norm: LayerNorm, qkv: Linear, proj: Linear, groups: usize) -> Self {
        Self { norm, qkv, proj, groups }
    }

    /// `x += proj(attention(norm(x)))`, in place, for `[tokens, channels]`. Queries and keys exist for one tile of tokens at
    /// a time; `values` is room for the values of all.
    pub fn forward(&self, x: &Tensor, values: &mut Vec<f32>) -> Result<()> {
        let (tokens, channels) = x.dims2()?;
        let (groups, dim, tile) = (self.groups, channels / self.groups, TILE_ROWS * channels);
        values.resize(tokens * channels, 0.0);
        in_place(x, |x| {
            let mut weights = self.scores(x, values);
            weights.chunks_exact_mut(dim).for_each(|row| softmax(row, (tokens as f32).powf(-0.5)));
            x.par_chunks_mut(tile).zip(values.par_chunks(tile)).for_each(|(x, v)| {
                let mut mixed = Scratch::take(x.len());
                mix_channels(&weights, v, groups, dim, &mut mixed);
                self.proj.forward_rows(&mixed, Epilogue::Add, x);
            });
        })
    }

    /// Products of queries and keys, `[groups, dim, dim]`, summed over the tokens; the values go to `values`.
    fn scores(&self, x: &[f32], values: &mut [f32]) -> Vec<f32> {
        let (groups, channels) = (self.groups, self.proj.outputs());
        let (dim, tile) = (channels / groups, TILE_ROWS * channels);
        let partial: Vec<Vec<f32>> = values
            .par_chunks_mut(tile)
            .zip(x.par_chunks(tile))
            .map(|(values, x)| {
                let mut normed = Scratch::take(x.len());
                self.norm.forward_rows(x, &mut normed);
                let mut qkv = Scratch::take(3 * x.len());
                self.qkv.forward_rows(&normed, Epilogue::Store, &mut qkv);
                for (value, qkv) in values.chunks_exact_mut(channels).zip(qkv.chunks_exact(3 * channels)) {
                    value.copy_from_slice(&qkv[2 * channels..]);
                }
                let mut scores = vec![0.0; groups * dim * dim];
                add_channel_scores(&qkv, groups, dim, &mut scores);
                scores
            })
            .collect();
        let mut sum = vec![0.0; groups * dim * dim];
        partial.iter().for_each(|scores| add(&mut sum, scores));
        sum
    }
}

/// Multi-head attention of BART's encoder: every token sees every token.
pub struct SelfAttention(Projections);

/// Multi-head attention of BART's decoder: a row per beam over remembered keys and values.
pub struct CachedAttention(Projections);

struct Projections {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    heads: usize,
}

impl Projections {
    fn load(channels: usize, heads: usize, scope: Scope) -> Result<Self> {
        let linear = |name: &str| Linear::load(channels, channels, true, scope.pp(name));
        Ok(Self { q: linear("q_proj")?, k: linear("k_proj")?, v: linear("v_proj")?, out: linear("out_proj")?, heads })
    }

    fn heads(&self) -> (Heads, f32) {
        let channels = self.out.outputs();
        let dim = channels / self.heads;
        (Heads { count: self.heads, dim, stride: channels }, (dim as f32).powf(-0.5))
    }
}

impl SelfAttention {
    /// Reads the projections `q_proj`, `k_proj`, `v_proj` and `out_proj` at `scope`.
    pub fn load(channels: usize, heads: usize, scope: Scope) -> Result<Self> {
        Ok(Self(Projections::load(channels, heads, scope)?))
    }

    /// `[tokens, channels]` to the same shape; no norm, no residual.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (tokens, channels) = x.dims2()?;
        let (q, k, v) = (self.0.q.forward(x)?, self.0.k.forward(x)?, self.0.v.forward(x)?);
        let (heads, scale) = self.0.heads();
        let mixed: Vec<Vec<f32>> = with_values(&q, |q| {
            with_values(&k, |k| {
                with_values(&v, |v| {
                    (0..heads.count)
                        .into_par_iter()
                        .map(|head| {
                            let at = head * heads.dim;
                            let one = Heads { count: 1, ..heads };
                            let mut out = vec![0.0; tokens * heads.dim];
                            attend(&q[at..], &k[at..], &v[at..], tokens, one, scale, &mut out);
                            out
                        })
                        .collect()
                })
            })
        })???;
        let mut joined = vec![0.0; tokens * channels];
        for (token, row) in joined.chunks_exact_mut(channels).enumerate() {
            for (out, head) in row.chunks_exact_mut(heads.dim).zip(&mixed) {
                out.copy_from_slice(&head[token * heads.dim..][..heads.dim]);
            }
        }
        self.0.out.forward(&Tensor::from_vec(joined, (tokens, channels), &Device::Cpu)?)
    }
}

/// Keys and values of tokens seen so far, one row each, in the order in which they came.
#[derive(Default, Clone)]
pub struct RowCache {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl CachedAttention {
    /// Reads the projections `q_proj`, `k_proj`, `v_proj` and `out_proj` at `scope`.
    pub fn load(channels: usize, heads: usize, scope: Scope) -> Result<Self> {
        Ok(Self(Projections::load(channels, heads, scope)?))
    }

    /// Remembers the keys and values of `x` `[tokens, channels]`.
    pub fn remember(&self, x: &Tensor, cache: &mut RowCache) -> Result<()> {
        with_values(&self.0.k.forward(x)?, |k| cache.keys.extend_from_slice(k))?;
        with_values(&self.0.v.forward(x)?, |v| cache.values.extend_from_slice(v))
    }

    /// Row `i` of `x` attends to the remembered rows `seen[i]`, or to all of them without `seen`.
    pub fn forward(&self, x: &Tensor, cache: &RowCache, seen: Option<&[Vec<u32>]>) -> Result<Tensor> {
        let (heads, scale) = self.0.heads();
        let channels = heads.stride;
        let q = self.0.q.forward(x)?;
        let mut mixed = vec![0.0; rows(x)? * channels];
        with_values(&q, |q| {
            mixed.par_chunks_mut(channels).zip(q.par_chunks(channels)).enumerate().for_each(|(i, (out, q))| {
                let (keys, values) = match seen {
                    Some(seen) => (pick(&cache.keys, channels, &seen[i]), pick(&cache.values, channels, &seen[i])),
                    None => {
                        (cache.keys.chunks_exact(channels).collect(), cache.values.chunks_exact(channels).collect())
                    }
                };
                attend_cached(q, &keys, &values, heads, scale, out);
            });
        })?;
        self.0.out.forward(&Tensor::from_vec(mixed, x.dims2()?, &Device::Cpu)?)
    }
}

fn pick<'a>(rows: &'a [f32], channels: usize, which: &[u32]) -> Vec<&'a [f32]> {
    which.iter().map(|&row| &rows[row as usize * channels..][..channels]).collect()
}

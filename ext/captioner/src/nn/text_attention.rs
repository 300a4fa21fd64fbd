//! The attention layers of BART: of the encoder, of the decoder among what it wrote, and from the decoder to the encoder.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{rows, with_values, Linear};
use crate::kernels::{attend, attend_cached, attend_turned, transpose, Heads};
use crate::weights::Scope;
use crate::Result;

/// Multi-head attention of BART's encoder: every token sees every token.
pub struct SelfAttention(Projections);

/// Multi-head attention of BART's decoder: a row per beam over remembered keys and values.
pub struct CachedAttention(Projections);

/// Multi-head attention of BART's decoder to the encoder: every beam sees every token.
pub struct CrossAttention(Projections);

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
        let mixed = with_values(&q, |q| {
            with_values(&k, |k| {
                with_values(&v, |v| {
                    by_head(heads, tokens, |head, out| {
                        let (at, one) = (head * heads.dim, Heads { count: 1, ..heads });
                        attend(&q[at..], &k[at..], &v[at..], tokens, one, scale, out);
                    })
                })
            })
        })???;
        self.0.out.forward(&Tensor::from_vec(mixed, (tokens, channels), &Device::Cpu)?)
    }
}

/// `[rows, channels]` from what `f(head, out)` writes to the `[rows, dim]` of each head.
fn by_head(heads: Heads, rows: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let (dim, channels) = (heads.dim, heads.count * heads.dim);
    let mut parts = vec![0.0; rows * channels];
    parts.par_chunks_mut(rows * dim).enumerate().for_each(|(head, part)| f(head, part));
    let mut joined = vec![0.0; rows * channels];
    for (head, part) in parts.chunks_exact(rows * dim).enumerate() {
        for (out, part) in joined.chunks_exact_mut(channels).zip(part.chunks_exact(dim)) {
            out[head * dim..][..dim].copy_from_slice(part);
        }
    }
    joined
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

    /// Row `i` of `x` attends to the remembered rows `seen[i]`.
    pub fn forward(&self, x: &Tensor, cache: &RowCache, seen: &[Vec<u32>]) -> Result<Tensor> {
        let (heads, scale) = self.0.heads();
        let channels = heads.stride;
        let q = self.0.q.forward(x)?;
        let mut mixed = vec![0.0; rows(x)? * channels];
        with_values(&q, |q| {
            mixed.par_chunks_mut(channels).zip(q.par_chunks(channels)).zip(seen).for_each(|((out, q), seen)| {
                let (keys, values) = (pick(&cache.keys, channels, seen), pick(&cache.values, channels, seen));
                attend_cached(q, &keys, &values, heads, scale, out);
            });
        })?;
        self.0.out.forward(&Tensor::from_vec(mixed, x.dims2()?, &Device::Cpu)?)
    }
}

fn pick<'a>(rows: &'a [f32], channels: usize, which: &[u32]) -> Vec<&'a [f32]> {
    which.iter().map(|&row| &rows[row as usize * channels..][..channels]).collect()
}

/// Keys and values that every row attends to: keys as `[channels, tokens]`, which is how products with them read, values as
/// `[tokens, channels]`.
#[derive(Default)]
pub struct SharedCache {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl CrossAttention {
    /// Reads the projections `q_proj`, `k_proj`, `v_proj` and `out_proj` at `scope`.
    pub fn load(channels: usize, heads: usize, scope: Scope) -> Result<Self> {
        Ok(Self(Projections::load(channels, heads, scope)?))
    }

    /// The keys and values of `x` `[tokens, channels]`.
    pub fn remember(&self, x: &Tensor) -> Result<SharedCache> {
        let (tokens, channels) = x.dims2()?;
        let mut keys = vec![0.0; tokens * channels];
        with_values(&self.0.k.forward(x)?, |k| transpose(k, channels, (tokens, channels), &mut keys, tokens))?;
        Ok(SharedCache { keys, values: with_values(&self.0.v.forward(x)?, <[f32]>::to_vec)? })
    }

    /// Every row of `x` attends to all that is remembered.
    pub fn forward(&self, x: &Tensor, cache: &SharedCache) -> Result<Tensor> {
        let (heads, scale) = self.0.heads();
        let (count, channels) = x.dims2()?;
        let tokens = cache.values.len() / channels;
        let mixed = with_values(&self.0.q.forward(x)?, |q| {
            by_head(heads, count, |head, out| {
                let at = head * heads.dim;
                attend_turned(&q[at..], &cache.keys[at * tokens..], &cache.values[at..], tokens, heads, scale, out);
            })
        })?;
        self.0.out.forward(&Tensor::from_vec(mixed, (count, channels), &Device::Cpu)?)
    }
}

//! The attention layers of BART: of the encoder, of the decoder among what it wrote, and from the decoder to the encoder.

use candle_core::{Device, Tensor};
use half::{f16, slice::HalfFloatSliceExt};
use rayon::prelude::*;

use super::{rows, with_values, Linear};
use crate::kernels::{attend, attend_shared, attend_written, turn_keys, Element, Heads};
use crate::weights::Scope;
use crate::{runtime, Result};

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
        let tokens = rows(x)?;
        let [q, k, v] = Linear::forward_each([&self.0.q, &self.0.k, &self.0.v], x)?;
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
        })????;
        self.0.out.forward(&mixed)
    }
}

/// `[rows, channels]` from what `f(head, out)` writes to the `[rows, dim]` of each head.
fn by_head(heads: Heads, rows: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Result<Tensor> {
    let (dim, channels) = (heads.dim, heads.count * heads.dim);
    let mut parts = vec![0.0; rows * channels];
    let mut tasks: Vec<_> = parts.chunks_exact_mut(rows * dim).enumerate().collect();
    runtime::each(&mut tasks, |(head, part)| f(*head, part));
    let mut joined = vec![0.0; rows * channels];
    for (head, part) in parts.chunks_exact(rows * dim).enumerate() {
        for (out, part) in joined.chunks_exact_mut(channels).zip(part.chunks_exact(dim)) {
            out[head * dim..][..dim].copy_from_slice(part);
        }
    }
    Ok(Tensor::from_vec(joined, (rows, channels), &Device::Cpu)?)
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

    /// Remembers the keys and values of `x` `[tokens, channels]`; then row `i` attends to the remembered rows `seen[i]`.
    pub fn forward(&self, x: &Tensor, cache: &mut RowCache, seen: &[Vec<u32>]) -> Result<Tensor> {
        let (heads, scale) = self.0.heads();
        let (channels, dim) = (heads.stride, heads.dim);
        let [q, k, v] = Linear::forward_each([&self.0.q, &self.0.k, &self.0.v], x)?;
        with_values(&k, |k| cache.keys.extend_from_slice(k))?;
        with_values(&v, |v| cache.values.extend_from_slice(v))?;
        let pick = |rows| seen.iter().map(|seen| pick(rows, channels, seen)).collect::<Vec<_>>();
        let (keys, values) = (pick(&cache.keys), pick(&cache.values));
        let mixed = with_values(&q, |q| {
            by_head(heads, seen.len(), |head, out| {
                let (at, mut scores) = (head * dim, Vec::new());
                for (row, out) in out.chunks_exact_mut(dim).enumerate() {
                    scores.resize(seen[row].len(), 0.0);
                    let q = &q[row * channels + at..][..dim];
                    attend_written(q, &keys[row], &values[row], at, scale, &mut scores, out);
                }
            })
        })??;
        self.0.out.forward(&mixed)
    }
}

fn pick<'a>(rows: &'a [f32], channels: usize, which: &[u32]) -> Vec<&'a [f32]> {
    which.iter().map(|&row| &rows[row as usize * channels..][..channels]).collect()
}

/// Values that are rounded to f16 at a time.
const HALVES: usize = 1024;

/// Keys and values that every row attends to: in f16, or in `f32` where products are exact.
pub enum SharedCache {
    F32(Shared<f32>),
    F16(Shared<f16>),
}

/// Of all heads, one after the other, in the order of [`attend_shared`].
pub struct Shared<T> {
    keys: Vec<T>,
    values: Vec<T>,
}

impl CrossAttention {
    /// Reads the projections `q_proj`, `k_proj`, `v_proj` and `out_proj` at `scope`.
    pub fn load(channels: usize, heads: usize, scope: Scope) -> Result<Self> {
        Ok(Self(Projections::load(channels, heads, scope)?))
    }

    /// The keys and values of `x` `[tokens, channels]`.
    pub fn remember(&self, x: &Tensor) -> Result<SharedCache> {
        let Heads { dim, stride, .. } = self.0.heads().0;
        let tokens = rows(x)?;
        let [k, v] = Linear::forward_each([&self.0.k, &self.0.v], x)?;
        let (mut keys, mut values) = (vec![0.0; tokens * stride], vec![0.0; tokens * stride]);
        with_values(&k, |k| {
            keys.par_chunks_mut(tokens * dim)
                .enumerate()
                .for_each(|(i, out)| turn_keys(&k[i * dim..], stride, dim, out));
        })?;
        with_values(&v, |v| {
            for (head, out) in values.chunks_exact_mut(tokens * dim).enumerate() {
                let rows = out.chunks_exact_mut(dim).zip(v.chunks_exact(stride));
                rows.for_each(|(out, v)| out.copy_from_slice(&v[head * dim..][..dim]));
            }
        })?;
        Ok(if self.0.k.is_exact() {
            SharedCache::F32(Shared { keys, values })
        } else {
            SharedCache::F16(Shared { keys: halves(&keys), values: halves(&values) })
        })
    }

    /// Every row of `x` attends to all that is remembered.
    pub fn forward(&self, x: &Tensor, cache: &SharedCache) -> Result<Tensor> {
        let q = self.0.q.forward(x)?;
        let mixed = match cache {
            SharedCache::F32(shared) => self.mix(&q, shared),
            SharedCache::F16(shared) => self.mix(&q, shared),
        }?;
        self.0.out.forward(&mixed)
    }

    fn mix<T: Element + Sync>(&self, q: &Tensor, Shared { keys, values }: &Shared<T>) -> Result<Tensor> {
        let (heads, scale) = self.0.heads();
        let own = values.len() / heads.count;
        with_values(q, |q| {
            by_head(heads, q.len() / heads.stride, |head, out| {
                let (q, own) = (&q[head * heads.dim..], head * own..(head + 1) * own);
                attend_shared(q, heads.stride, &keys[own.clone()], &values[own], heads.dim, scale, out);
            })
        })?
    }
}

/// Numbers beyond the range of f16 become its largest.
fn halves(values: &[f32]) -> Vec<f16> {
    let (least, most) = (f16::MIN.to_f32(), f16::MAX.to_f32());
    let mut halves = vec![f16::ZERO; values.len()];
    halves.par_chunks_mut(HALVES).zip(values.par_chunks(HALVES)).for_each(|(halves, values)| {
        let mut clamped = [0.0; HALVES];
        let clamped = &mut clamped[..values.len()];
        clamped.iter_mut().zip(values).for_each(|(clamped, v)| *clamped = v.clamp(least, most));
        halves.convert_from_f32_slice(clamped);
    });
    halves
}

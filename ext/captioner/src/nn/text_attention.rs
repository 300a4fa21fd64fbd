//! The attention layers of BART: of the encoder, of the decoder among what it wrote, and from the decoder to the encoder.

use candle_core::{Device, Tensor};

use super::cache::{pick, RowCache, Shared, SharedCache};
use super::{rows, with_all, with_values, Linear};
use crate::kernels::{attend, attend_shared, attend_written, Element, Heads};
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
        let mixed = with_all([&q, &k, &v], |[q, k, v]| {
            by_head(heads, tokens, |head, out| {
                let (at, one) = (head * heads.dim, Heads { count: 1, ..heads });
                attend(&q[at..], &k[at..], &v[at..], tokens, one, scale, out);
            })
        })??;
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

impl CrossAttention {
    /// Reads the projections `q_proj`, `k_proj`, `v_proj` and `out_proj` at `scope`.
    pub fn load(channels: usize, heads: usize, scope: Scope) -> Result<Self> {
        Ok(Self(Projections::load(channels, heads, scope)?))
    }

    /// The keys and values of `x` `[tokens, channels]`.
    pub fn remember(&self, x: &Tensor) -> Result<SharedCache> {
        let Heads { count, dim, stride } = self.0.heads().0;
        let [k, v] = Linear::forward_each([&self.0.k, &self.0.v], x)?;
        let exact = self.0.k.is_exact();
        with_all([&k, &v], |[k, v]| SharedCache::new(k, v, stride, (count, dim), exact))
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

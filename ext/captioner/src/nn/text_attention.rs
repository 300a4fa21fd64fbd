//! The attention layers of BART: of the encoder, of the decoder among what it wrote, and from the decoder to the encoder.

use candle_core::{Device, Tensor};

use super::cache::{pick, RowCache, Shared, SharedCache};
use super::{rows, with_all, with_values, Linear};
use crate::kernels::{attend_shared, attend_streamed, attend_written, Element, Mask, Regime, Streamed};
use crate::weights::Scope;
use crate::{runtime, Result};

/// Multi-head attention of BART's encoder: every token sees every token.
pub struct SelfAttention(Projections);

/// Multi-head attention of BART's decoder: a row per beam over remembered keys and values.
pub struct CachedAttention(Projections);

/// What one sequence has written: the keys and values of all its rows, and which of them each of its beams sees.
pub struct WrittenRows<'a> {
    pub cache: &'a mut RowCache,
    pub seen: &'a [Vec<u32>],
}

/// Multi-head attention of BART's decoder to the encoder: every beam sees every token.
pub struct CrossAttention(Projections);

struct Projections {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    heads: usize,
}

/// Where the queries, keys and values of each head lie: rows of `stride` floats, heads side by side.
#[derive(Clone, Copy)]
struct Heads {
    count: usize,
    /// Channels of one head.
    dim: usize,
    stride: usize,
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
        let [q, k, v] = Linear::forward_each([&self.0.q, &self.0.k, &self.0.v], x, Regime::of(tokens))?;
        let ((heads, scale), arithmetic) = (self.0.heads(), self.0.q.arithmetic());
        let Heads { dim, stride, .. } = heads;
        let shape =
            Streamed { queries: tokens, keys: tokens, dim, q_stride: stride, kv_stride: stride, out_stride: dim };
        let mixed = with_all([&q, &k, &v], |[q, k, v]| {
            by_head(heads, tokens, |head, out| {
                let at = head * heads.dim;
                attend_streamed(&q[at..], &k[at..], &v[at..], shape, Mask::None, scale, arithmetic, out);
            })
        })??;
        self.0.out.forward(&mixed)
    }
}

/// `[rows, channels]` from what `f(head, out)` writes to the `[rows, dim]` of each head.
fn by_head(heads: Heads, rows: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Result<Tensor> {
    let (dim, channels) = (heads.dim, heads.count * heads.dim);
    let mut parts = runtime::zeros(rows * channels);
    let mut tasks: Vec<_> = parts.chunks_exact_mut(rows * dim).enumerate().collect();
    runtime::each(&mut tasks, |(head, part)| f(*head, part));
    let mut joined = runtime::zeros(rows * channels);
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

    /// Remembers the keys and values of `x` `[rows, channels]`, a row for each beam of each sequence; then each row attends to the
    /// remembered rows that its beam has seen.
    pub fn forward(&self, x: &Tensor, sequences: &mut [WrittenRows], regime: Regime) -> Result<Tensor> {
        let (heads, scale) = self.0.heads();
        let (channels, dim) = (heads.stride, heads.dim);
        let [q, k, v] = Linear::forward_each([&self.0.q, &self.0.k, &self.0.v], x, regime)?;
        with_all([&k, &v], |[mut k, mut v]| {
            for WrittenRows { cache, seen } in sequences.iter_mut() {
                let (own, others) = (k.split_at(seen.len() * channels), v.split_at(seen.len() * channels));
                cache.keys.extend_from_slice(own.0);
                cache.values.extend_from_slice(others.0);
                (k, v) = (own.1, others.1);
            }
        })?;
        let beams = || sequences.iter().flat_map(|own| own.seen.iter().map(|seen| (&*own.cache, seen)));
        let keys: Vec<_> = beams().map(|(cache, seen)| pick(&cache.keys, channels, seen)).collect();
        let values: Vec<_> = beams().map(|(cache, seen)| pick(&cache.values, channels, seen)).collect();
        let mixed = with_values(&q, |q| {
            by_head(heads, keys.len(), |head, out| {
                let (at, mut scores) = (head * dim, Vec::new());
                for (row, out) in out.chunks_exact_mut(dim).enumerate() {
                    scores.resize(keys[row].len(), 0.0);
                    let q = &q[row * channels + at..][..dim];
                    attend_written(q, &keys[row], &values[row], at, scale, &mut scores, out);
                }
            })
        })??;
        self.0.out.forward_in(regime, &mixed)
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
        let [k, v] = Linear::forward_each([&self.0.k, &self.0.v], x, Regime::of(rows(x)?))?;
        let exact = self.0.k.is_exact();
        with_all([&k, &v], |[k, v]| SharedCache::new(k, v, stride, (count, dim), exact))
    }

    /// Each row of `x` attends to all that its sequence remembers: `caches` has the rows of each sequence and what they see.
    pub fn forward(&self, x: &Tensor, caches: &[(usize, &SharedCache)], regime: Regime) -> Result<Tensor> {
        let (heads, _) = self.0.heads();
        let q = self.0.q.forward_in(regime, x)?;
        let mixed = with_values(&q, |q| {
            by_head(heads, q.len() / heads.stride, |head, mut out| {
                let mut q = &q[head * heads.dim..];
                for (rows, cache) in caches {
                    let (own, others) = std::mem::take(&mut out).split_at_mut(rows * heads.dim);
                    match cache {
                        SharedCache::F32(shared) => self.mix(head, q, shared, own),
                        SharedCache::F16(shared) => self.mix(head, q, shared, own),
                    }
                    // Behind the last sequence there is nothing.
                    (q, out) = (q.get(rows * heads.stride..).unwrap_or_default(), others);
                }
            })
        })??;
        self.0.out.forward_in(regime, &mixed)
    }

    /// One head of one sequence.
    fn mix<T: Element>(&self, head: usize, q: &[f32], Shared { keys, values }: &Shared<T>, out: &mut [f32]) {
        let (heads, scale) = self.0.heads();
        let own = values.len() / heads.count;
        let own = head * own..(head + 1) * own;
        attend_shared(q, heads.stride, &keys[own.clone()], &values[own], heads.dim, scale, out);
    }
}

use candle_core::Tensor;

use super::cache::{pick, RowCache, Shared, SharedCache};
use super::projections::{HeadShape, Projections, Qkv, QkvNames};
use super::{with_values, Linear, ReadyLinear, Turns};
use crate::kernels::{attend_prefixed, Element, Mask, Scratch, Written};
use crate::runtime;
use crate::weights::Scope;
use crate::Result;

/// Attention of a decoder to itself: rotary positions, keys and values shared by groups of heads, and a memory of a prefix that
/// all beams share and of the rows that each has written.
pub struct CausalAttention {
    projections: Projections,
    out: Linear,
}

impl CausalAttention {
    /// Reads the projections `names` and `out`, `[channels, heads * dim]`, at `scope`; with or without biases.
    pub fn load(
        channels: usize,
        shape: HeadShape,
        bias: bool,
        names: QkvNames,
        out: &str,
        scope: &Scope,
    ) -> Result<Self> {
        let projections = Projections::load(channels, shape, bias, names, scope)?;
        Ok(Self { projections, out: Linear::load(shape.queries(), channels, bias, scope.pp(out))? })
    }

    /// The output projection, made ready for `rows` rows.
    pub fn ready_out(&self, rows: usize) -> ReadyLinear<'_> {
        self.out.ready(rows)
    }

    /// Channels that the output projection takes.
    pub fn mixed(&self) -> usize {
        self.projections.shape().queries()
    }

    /// Attention among all rows of `x` `[tokens, channels]` after `norm`, `[tokens, heads * dim]`, and the keys and values to
    /// remember. The output projection is left to the caller.
    pub fn prefill(
        &self,
        x: &Tensor,
        norm: impl Fn(&[f32], &mut [f32]) + Sync,
        turns: &Turns,
        mask: Mask,
    ) -> Result<(Scratch, SharedCache)> {
        let qkv = self.project(x, norm, turns)?;
        Ok((qkv.attend(mask, self.projections.arithmetic()), self.shared(&qkv)))
    }

    /// The keys and values to remember alone.
    pub fn remember(&self, x: &Tensor, norm: impl Fn(&[f32], &mut [f32]) + Sync, turns: &Turns) -> Result<SharedCache> {
        Ok(self.shared(&self.project(x, norm, turns)?))
    }

    fn project(&self, x: &Tensor, norm: impl Fn(&[f32], &mut [f32]) + Sync, turns: &Turns) -> Result<Qkv> {
        let (tokens, channels) = x.dims2()?;
        let shape = self.projections.shape();
        let mut qkv = self.projections.room(tokens);
        let turn = |first: usize, rows: &mut [f32], heads: usize, stride: usize| {
            turns.rotate(rows, stride, (heads, shape.dim), first);
        };
        with_values(x, |x| self.projections.ready(tokens).forward(x, channels, norm, turn, &mut qkv))?;
        Ok(qkv)
    }

    fn shared(&self, qkv: &Qkv) -> SharedCache {
        let (k, v, stride) = qkv.kv();
        let shape = self.projections.shape();
        SharedCache::new(k, v, stride, (shape.kv_heads, shape.dim), self.projections.is_exact())
    }

    /// Remembers the keys and values of `x` `[beams, channels]` after `norm`; then row `i` attends to all of `shared` and to the
    /// rows `seen[i]` of `written`. Writes `[beams, heads * dim]` to `mixed`; the output projection is left to the caller.
    pub fn step(
        &self,
        x: &[f32],
        norm: impl Fn(&[f32], &mut [f32]) + Sync,
        turns: &Turns,
        (shared, written): (&SharedCache, &mut RowCache),
        seen: &[Vec<u32>],
        mixed: &mut [f32],
    ) {
        let shape = self.projections.shape();
        let mut qkv = self.projections.room(seen.len());
        let turn = |first: usize, rows: &mut [f32], heads: usize, stride: usize| {
            turns.rotate(rows, stride, (heads, shape.dim), first);
        };
        self.projections.ready(seen.len()).forward(x, x.len() / seen.len().max(1), norm, turn, &mut qkv);
        let (k, v, stride) = qkv.kv();
        for (k, v) in k.chunks(stride).zip(v.chunks(stride)) {
            written.keys.extend_from_slice(&k[..shape.keys()]);
            written.values.extend_from_slice(&v[..shape.keys()]);
        }
        let written: Vec<Written> = seen
            .iter()
            .map(|seen| Written {
                keys: pick(&written.keys, shape.keys(), seen),
                values: pick(&written.values, shape.keys(), seen),
            })
            .collect();
        match shared {
            SharedCache::F32(shared) => mix(shape, qkv.q(), shared, &written, mixed),
            SharedCache::F16(shared) => mix(shape, qkv.q(), shared, &written, mixed),
        }
    }
}

/// The heads of keys and values, each with its queries, on all threads.
fn mix<T: Element + Sync>(
    shape: HeadShape,
    (q, stride): (&[f32], usize),
    shared: &Shared<T>,
    written: &[Written],
    mixed: &mut [f32],
) {
    let (dim, beams, own) = (shape.dim, written.len(), shape.group() * shape.dim);
    let prefix = shared.values.len() / shape.kv_heads;
    let mut parts = Scratch::take(mixed.len());
    let mut tasks: Vec<_> = parts.chunks_exact_mut(beams * own).enumerate().collect();
    runtime::each(&mut tasks, |(head, part)| {
        let mut queries = Scratch::take(beams * own);
        for (queries, q) in queries.chunks_exact_mut(own).zip(q.chunks(stride)) {
            queries.copy_from_slice(&q[*head * own..][..own]);
        }
        let shared_rows = *head * prefix..(*head + 1) * prefix;
        let shared = (&shared.keys[shared_rows.clone()], &shared.values[shared_rows]);
        attend_prefixed(&queries, shared, written, (*head * dim, dim), shape.scale(), part);
    });
    for (head, part) in parts.chunks_exact(beams * own).enumerate() {
        for (out, part) in mixed.chunks_exact_mut(shape.queries()).zip(part.chunks_exact(own)) {
            out[head * own..][..own].copy_from_slice(part);
        }
    }
}

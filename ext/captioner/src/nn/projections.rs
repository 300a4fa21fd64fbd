//! From hidden states to queries, keys and values, and from what heads mixed back to rows.

use std::ops::Range;

use rayon::prelude::*;

use super::linear::{forward_each_rows, ReadyLinear};
use super::{even_tile, Linear};
use crate::kernels::{attend_streamed, Arithmetic, Mask, Scratch, Streamed, FEW_ROWS, TILE_ROWS};
use crate::weights::Scope;
use crate::Result;

/// Queries that one task works off: enough to pay for turning a tile of keys, few enough to share the work out.
const QUERIES: usize = 256;

/// The heads of an attention layer. Heads of queries share those of keys and values in equal groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadShape {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values, a divisor of `heads`.
    pub kv_heads: usize,
    /// Channels of a head.
    pub dim: usize,
}

impl HeadShape {
    /// Channels of all queries.
    pub fn queries(self) -> usize {
        self.heads * self.dim
    }

    /// Channels of all keys, and of all values.
    pub fn keys(self) -> usize {
        self.kv_heads * self.dim
    }

    /// Heads of queries that share one of keys and values.
    pub fn group(self) -> usize {
        self.heads / self.kv_heads
    }

    pub(super) fn scale(self) -> f32 {
        (self.dim as f32).powf(-0.5)
    }
}

/// How a checkpoint names the projections.
#[derive(Debug, Clone, Copy)]
pub enum QkvNames<'a> {
    /// One matrix, whose rows are those of the queries, the keys and the values.
    Fused(&'a str),
    /// Three.
    Separate([&'a str; 3]),
}

/// The projections to queries, keys and values: one linear, or three.
pub struct Projections {
    linears: Vec<Linear>,
    shape: HeadShape,
}

impl Projections {
    /// Reads them at `scope`, from `channels` input features.
    pub fn load(channels: usize, shape: HeadShape, bias: bool, names: QkvNames, scope: &Scope) -> Result<Self> {
        let linear = |name: &str, outputs| Linear::load(channels, outputs, bias, scope.pp(name));
        let linears = match names {
            QkvNames::Fused(name) => vec![linear(name, shape.queries() + 2 * shape.keys())?],
            QkvNames::Separate([q, k, v]) => {
                vec![linear(q, shape.queries())?, linear(k, shape.keys())?, linear(v, shape.keys())?]
            }
        };
        Ok(Self { linears, shape })
    }

    pub fn shape(&self) -> HeadShape {
        self.shape
    }

    /// Are products computed in `f32`?
    pub fn is_exact(&self) -> bool {
        self.linears.iter().all(Linear::is_exact)
    }

    /// The arithmetic of the products that follow.
    pub(super) fn arithmetic(&self) -> Arithmetic {
        self.linears[0].arithmetic()
    }

    /// Made ready for `rows` rows.
    pub(super) fn ready(&self, rows: usize) -> ReadyProjections<'_> {
        ReadyProjections { linears: self.linears.iter().map(|linear| linear.ready(rows)).collect() }
    }

    /// Room for `rows` rows.
    pub(super) fn room(&self, rows: usize) -> Qkv {
        let parts = self.linears.iter().map(|linear| Scratch::take(rows * linear.outputs())).collect();
        Qkv { parts, rows, shape: self.shape }
    }
}

pub(super) struct ReadyProjections<'a> {
    linears: Vec<ReadyLinear<'a>>,
}

/// Queries, keys and values of some rows, as the linears wrote them.
pub(super) struct Qkv {
    parts: Vec<Scratch>,
    rows: usize,
    shape: HeadShape,
}

impl ReadyProjections<'_> {
    /// Fills `qkv` from `x`, `[rows, channels]`, through `norm(rows, normed)`. Tile by tile; then `turn(first row, heads, count,
    /// stride)` may change the queries, and the keys, of each tile.
    pub fn forward(
        &self,
        x: &[f32],
        channels: usize,
        norm: impl Fn(&[f32], &mut [f32]) + Sync,
        turn: impl Fn(usize, &mut [f32], usize, usize) + Sync,
        qkv: &mut Qkv,
    ) {
        let (tile, shape) = (row_tile(qkv.rows), qkv.shape);
        let mut tasks: Vec<(usize, &[f32], Vec<&mut [f32]>)> =
            x.chunks(tile * channels).enumerate().map(|(i, x)| (i * tile, x, Vec::new())).collect();
        for (linear, part) in self.linears.iter().zip(&mut qkv.parts) {
            let tiles = part.chunks_mut(tile * linear.outputs());
            tasks.iter_mut().zip(tiles).for_each(|(task, tile)| task.2.push(tile));
        }
        let run = |(first, x, outs): &mut (usize, &[f32], Vec<&mut [f32]>)| {
            let mut normed = Scratch::take(x.len());
            norm(x, &mut normed);
            forward_each_rows(&self.linears, &normed, outs);
            match outs.as_mut_slice() {
                // Keys lie behind the queries, and turn as they do.
                [fused] => turn(*first, fused, shape.heads + shape.kv_heads, shape.queries() + 2 * shape.keys()),
                [q, k, ..] => {
                    turn(*first, q, shape.heads, shape.queries());
                    turn(*first, k, shape.kv_heads, shape.keys());
                }
                [] => {}
            }
        };
        match tasks.as_mut_slice() {
            [task] => run(task),
            tasks => tasks.par_iter_mut().for_each(run),
        }
    }
}

impl Qkv {
    /// The queries, and the floats of a row.
    pub fn q(&self) -> (&[f32], usize) {
        (&self.parts[0], self.parts[0].len() / self.rows.max(1))
    }

    /// The keys and the values, and the floats of a row of either.
    pub fn kv(&self) -> (&[f32], &[f32], usize) {
        match self.parts.as_slice() {
            [fused] => {
                let (q, k) = (self.shape.queries(), self.shape.keys());
                (&fused[q..], &fused[q + k..], q + 2 * k)
            }
            parts => (&parts[1], &parts[2], self.shape.keys()),
        }
    }

    /// Softmax attention among the rows.
    pub fn attend(&self, mask: Mask, arithmetic: Arithmetic) -> Mixed {
        let HeadShape { heads, dim, .. } = self.shape;
        let mut parts = Scratch::take(self.rows * heads * dim);
        let mut tasks = Vec::new();
        for (head, part) in parts.chunks_exact_mut((self.rows * dim).max(1)).enumerate() {
            let tiles = part.chunks_mut(QUERIES * dim).enumerate();
            tasks.extend(tiles.map(|(tile, out)| (head, tile * QUERIES, out)));
        }
        let ((q, q_stride), (k, v, kv_stride)) = (self.q(), self.kv());
        tasks.par_iter_mut().for_each(|(head, first, out)| {
            let queries = out.len() / dim;
            let end = *first + queries;
            // A tile ends at a position of its own, unless it is one of those that all see the same.
            let (keys, mask) = match mask {
                Mask::None => (self.rows, Mask::None),
                Mask::Causal { prefix } if end <= prefix => (prefix.min(self.rows), Mask::None),
                causal => (end, causal),
            };
            let at = *head / self.shape.group() * dim;
            let shape = Streamed { queries, keys, dim, q_stride, kv_stride, out_stride: dim };
            let (q, k, v) = (&q[*first * q_stride + *head * dim..], &k[at..], &v[at..]);
            attend_streamed(q, k, v, shape, mask, self.shape.scale(), arithmetic, out);
        });
        Mixed { parts, rows: self.rows, dim }
    }
}

/// What attention mixed: `[heads, rows, dim]`.
pub struct Mixed {
    parts: Scratch,
    rows: usize,
    dim: usize,
}

impl Mixed {
    /// Some rows, their heads side by side.
    pub fn rows(&self, rows: Range<usize>, out: &mut [f32]) {
        let dim = self.dim;
        let width = out.len() / rows.len().max(1);
        for (head, part) in self.parts.chunks_exact((self.rows * dim).max(1)).enumerate() {
            let part = part[rows.start * dim..rows.end * dim].chunks_exact(dim);
            out.chunks_exact_mut(width).zip(part).for_each(|(out, v)| out[head * dim..][..dim].copy_from_slice(v));
        }
    }
}

/// Rows of a tile. Few rows are one tile, as their products are spread over the threads.
pub(super) fn row_tile(rows: usize) -> usize {
    if rows <= FEW_ROWS {
        rows.max(1)
    } else {
        even_tile(rows, TILE_ROWS)
    }
}

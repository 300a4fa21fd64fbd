//! From hidden states to queries, keys and values, and to what attention makes of them.

use rayon::prelude::*;

use super::linear::{forward_each_rows, ReadyLinear};
use super::{even_tile, Linear};
use crate::kernels::{Arithmetic, Keys, Mask, Scratch, Streamed, FEW_ROWS, TILE_ROWS};
use crate::weights::Scope;
use crate::Result;

/// Queries that one task works off where later ones see more keys than earlier ones: few, to share the work out evenly.
const CAUSAL_QUERIES: usize = 128;

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

/// Some rows, of which the first is `first`, and each linear's room for them.
struct Tile<'a> {
    first: usize,
    x: &'a [f32],
    outs: Vec<&'a mut [f32]>,
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
        let tiles = x.chunks(tile * channels).enumerate();
        let mut tasks: Vec<Tile> = tiles.map(|(i, x)| Tile { first: i * tile, x, outs: Vec::new() }).collect();
        for (linear, part) in self.linears.iter().zip(&mut qkv.parts) {
            let outs = part.chunks_mut(tile * linear.outputs());
            tasks.iter_mut().zip(outs).for_each(|(task, out)| task.outs.push(out));
        }
        let run = |Tile { first, x, outs }: &mut Tile| {
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

    /// Softmax attention among the rows: `[rows, heads * dim]`.
    pub fn attend(&self, mask: Mask, arithmetic: Arithmetic) -> Scratch {
        let HeadShape { heads, kv_heads, dim } = self.shape;
        let (rows, width) = (self.rows, self.shape.queries());
        let ((q, q_stride), (k, v, kv_stride)) = (self.q(), self.kv());
        let shape = Streamed { queries: rows, keys: rows, dim, q_stride, kv_stride, out_stride: width };
        let keys: Vec<Keys> = (0..if rows > 0 { kv_heads } else { 0 })
            .into_par_iter()
            .map(|head| Keys::pack(&k[head * dim..], &v[head * dim..], shape, arithmetic))
            .collect();
        let mut mixed = Scratch::take(rows * width);
        let tile = match mask {
            Mask::None => row_tile(rows),
            Mask::Causal { .. } => CAUSAL_QUERIES,
        };
        mixed.par_chunks_mut(tile * width).enumerate().for_each(|(i, out)| {
            let rows = i * tile..i * tile + out.len() / width;
            for head in 0..heads {
                let (q, out) = (&q[rows.start * q_stride + head * dim..], &mut out[head * dim..]);
                keys[head / self.shape.group()].attend(q, rows.clone(), mask, self.shape.scale(), out);
            }
        });
        mixed
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

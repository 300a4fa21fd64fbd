//! In `f32`: the scores of a few queries with every key, their softmax, and the product with the values.

use std::ops::Range;

use crate::kernels::attention::Streamed;
use crate::kernels::elementwise::{exp_row, scale_row};
use crate::kernels::product::{product, transpose, Left, Out, Right, Start};
use crate::kernels::Scratch;

/// Queries whose scores exist at a time: whole tiles of the product, and few enough that their scores stay in the
/// first-level cache for the softmax and the product with the values.
pub const QUERIES: usize = 24;

/// Keys whose channels lie side by side: `[dim, keys]`; values are read where they lie.
pub struct Packed<'a> {
    shape: Streamed,
    keys: Vec<f32>,
    values: &'a [f32],
}

impl<'a> Packed<'a> {
    pub fn new(k: &[f32], v: &'a [f32], shape: Streamed) -> Self {
        let mut keys = vec![0.0; shape.keys * shape.dim];
        transpose(k, shape.kv_stride, (shape.keys, shape.dim), &mut keys, shape.keys);
        Self { shape, keys, values: v }
    }

    /// `end` is how many keys a row sees.
    pub fn attend(&self, q: &[f32], rows: Range<usize>, end: impl Fn(usize) -> usize, scale: f32, out: &mut [f32]) {
        let Streamed { keys, dim, q_stride, kv_stride, out_stride, .. } = self.shape;
        for first in rows.clone().step_by(QUERIES) {
            let count = QUERIES.min(rows.end - first);
            let (q, out) = (&q[(first - rows.start) * q_stride..], &mut out[(first - rows.start) * out_stride..]);
            let seen = (first..first + count).map(&end).max().unwrap_or(0);
            let mut scores = Scratch::take(count * seen);
            product(
                (count, seen, dim),
                Left { values: q, row: q_stride, step: 1 },
                Right { values: &self.keys, row: keys },
                Start::default(),
                Out { values: &mut scores, row: seen },
            );
            let mut sums = [0.0; QUERIES];
            for (i, (row, sum)) in scores.chunks_exact_mut(seen).zip(&mut sums).enumerate() {
                let (visible, hidden) = row.split_at_mut(end(first + i));
                *sum = exp_row(visible, scale);
                hidden.fill(0.0);
            }
            product(
                (count, dim, seen),
                Left { values: &scores, row: seen, step: 1 },
                Right { values: self.values, row: kv_stride },
                Start::default(),
                Out { values: &mut *out, row: out_stride },
            );
            for (row, sum) in out.chunks_mut(out_stride).zip(&sums[..count]) {
                scale_row(&mut row[..dim], 1.0 / sum);
            }
        }
    }
}

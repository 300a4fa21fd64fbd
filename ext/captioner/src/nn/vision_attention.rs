//! The attention layers of DaViT: in windows and among channels.

use std::ops::Range;

use candle_core::Tensor;
use rayon::prelude::*;

use super::{in_place, room, rows, LayerNorm, Linear, ReadyLinear};
use crate::kernels::{
    add, add_channel_scores, attend_streamed, mix_channels, softmax, Epilogue, Mask, Scratch, Streamed, TILE_ROWS,
};
use crate::Result;

/// Windows that go through the linears together, so that unpacking a weight pays.
const WINDOWS: usize = 4;

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
        let across = width.div_ceil(side);
        let ready = (self.qkv.ready(rows(x)?), self.proj.ready(rows(x)?));
        in_place(x, |x| {
            // A window's rows are runs of `side` tokens, spread over the image: one task takes a band of windows.
            x.par_chunks_mut(side * width * channels).for_each(|x| {
                for first in (0..across).step_by(WINDOWS) {
                    self.windows(x, width, first..across.min(first + WINDOWS), &ready);
                }
            });
        })
    }

    /// Some windows of a band of image rows, by the projections to queries, keys and values and to the output.
    fn windows(&self, x: &mut [f32], width: usize, windows: Range<usize>, (to_qkv, proj): &(ReadyLinear, ReadyLinear)) {
        let (channels, side) = (self.proj.outputs(), self.window);
        let (tokens, row) = (side * side, width * channels);
        // Where a window's tokens of one image row lie: in the row, and among the tokens of all windows.
        let runs = |y: usize| {
            let first = windows.start;
            windows.clone().map(move |window| {
                let (left, right) = (window * side * channels, row.min((window + 1) * side * channels));
                let at = ((window - first) * tokens + y * side) * channels;
                (left..right, at..at + right - left)
            })
        };
        let mut normed = Scratch::take(windows.len() * tokens * channels);
        if windows.end * side > width || x.len() < side * row {
            normed.fill(0.0);
        }
        for (y, x) in x.chunks_exact(row).enumerate() {
            runs(y).for_each(|(from, to)| self.norm.forward_rows(&x[from], &mut normed[to]));
        }
        let mut qkv = Scratch::take(3 * normed.len());
        to_qkv.forward_rows(&normed, Epilogue::Store, &mut qkv);
        let (dim, stride, arithmetic) = (channels / self.heads, 3 * channels, self.qkv.arithmetic());
        let shape =
            Streamed { queries: tokens, keys: tokens, dim, q_stride: stride, kv_stride: stride, out_stride: channels };
        let scale = (dim as f32).powf(-0.5);
        for (qkv, mixed) in qkv.chunks_exact(tokens * stride).zip(normed.chunks_exact_mut(tokens * channels)) {
            for head in (0..channels).step_by(dim) {
                let (q, k, v) = (&qkv[head..], &qkv[channels + head..], &qkv[2 * channels + head..]);
                attend_streamed(q, k, v, shape, Mask::None, scale, arithmetic, &mut mixed[head..]);
            }
        }
        let mut projected = Scratch::take(normed.len());
        proj.forward_rows(&normed, Epilogue::Store, &mut projected);
        for (y, x) in x.chunks_exact_mut(row).enumerate() {
            runs(y).for_each(|(to, from)| add(&mut x[to], &projected[from]));
        }
    }
}

/// Rows of a tile: at most [`TILE_ROWS`], in an even number of tiles. It depends on nothing but the number of rows, so that
/// sums over tiles do not change with the number of threads.
fn tile(rows: usize) -> usize {
    rows.div_ceil(2 * rows.div_ceil(2 * TILE_ROWS))
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
        let (groups, dim, tile) = (self.groups, channels / self.groups, tile(tokens) * channels);
        let values = room(values, tokens * channels);
        let proj = self.proj.ready(tokens);
        in_place(x, |x| {
            let mut weights = self.scores(x, values);
            weights.chunks_exact_mut(dim).for_each(|row| softmax(row, (tokens as f32).powf(-0.5)));
            x.par_chunks_mut(tile).zip(values.par_chunks(tile)).for_each(|(x, v)| {
                let mut mixed = Scratch::take(x.len());
                mix_channels(&weights, v, groups, dim, &mut mixed);
                proj.forward_rows(&mixed, Epilogue::Add, x);
            });
        })
    }

    /// Products of queries and keys, `[groups, dim, dim]`, summed over the tokens; the values go to `values`.
    fn scores(&self, x: &[f32], values: &mut [f32]) -> Vec<f32> {
        let (groups, channels) = (self.groups, self.proj.outputs());
        let (dim, tile) = (channels / groups, tile(x.len() / channels) * channels);
        let to_qkv = self.qkv.ready(x.len() / channels);
        let partial: Vec<Vec<f32>> = values
            .par_chunks_mut(tile)
            .zip(x.par_chunks(tile))
            .map(|(values, x)| {
                let mut normed = Scratch::take(x.len());
                self.norm.forward_rows(x, &mut normed);
                let mut qkv = Scratch::take(3 * x.len());
                to_qkv.forward_rows(&normed, Epilogue::Store, &mut qkv);
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

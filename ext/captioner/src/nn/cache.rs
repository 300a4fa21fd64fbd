//! What attention remembers.

use half::{f16, slice::HalfFloatSliceExt};
use rayon::prelude::*;

use crate::kernels::turn_keys;

/// Values that are rounded to f16 at a time.
const HALVES: usize = 1024;

/// Keys and values of tokens seen so far, one row each, in the order in which they came.
#[derive(Default, Clone)]
pub struct RowCache {
    pub(super) keys: Vec<f32>,
    pub(super) values: Vec<f32>,
}

/// Those of the rows `which`, of `channels` each.
pub(super) fn pick<'a>(rows: &'a [f32], channels: usize, which: &[u32]) -> Vec<&'a [f32]> {
    which.iter().map(|&row| &rows[row as usize * channels..][..channels]).collect()
}

/// Keys and values that every row attends to: in f16, or in `f32` where products are exact.
pub enum SharedCache {
    F32(Shared<f32>),
    F16(Shared<f16>),
}

/// Of all heads, one after the other, in the order of [`crate::kernels::attend_shared`].
pub struct Shared<T> {
    pub(super) keys: Vec<T>,
    pub(super) values: Vec<T>,
}

impl SharedCache {
    /// From rows of `stride` floats that begin with `heads` heads of `dim` channels.
    pub(super) fn new(k: &[f32], v: &[f32], stride: usize, (heads, dim): (usize, usize), exact: bool) -> Self {
        let tokens = (k.len() + stride - heads * dim) / stride;
        let (mut keys, mut values) = (vec![0.0; tokens * heads * dim], vec![0.0; tokens * heads * dim]);
        if tokens > 0 {
            let parts = keys.par_chunks_mut(tokens * dim).zip(values.par_chunks_mut(tokens * dim));
            parts.enumerate().for_each(|(head, (keys, values))| {
                turn_keys(&k[head * dim..], stride, dim, keys);
                let rows = values.chunks_exact_mut(dim).zip(v.chunks(stride));
                rows.for_each(|(out, v)| out.copy_from_slice(&v[head * dim..][..dim]));
            });
        }
        if exact {
            Self::F32(Shared { keys, values })
        } else {
            Self::F16(Shared { keys: halves(&keys), values: halves(&values) })
        }
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

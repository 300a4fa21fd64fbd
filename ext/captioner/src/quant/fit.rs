//! Scales that make the squared error of a block smallest. The format stays the same: only which scale and which codes are
//! stored differs from what bitsandbytes would store.
//!
//! The largest magnitude is the natural scale, but it spends the code table's outermost entries on one value of the block. A
//! little less, which cuts that value off, serves the other 63 better, and a little more may do so too. For given codes the
//! best scale is a division; for a given scale the best codes are the nearest. So a few scales around the largest magnitude
//! are tried, and each is improved once.

use super::nearest::{nearest, STRIDE};

/// How the scales of blocks are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fit {
    /// The largest magnitude, as bitsandbytes does.
    Largest,
    /// The scale with the smallest squared error.
    LeastSquares,
}

/// Scales that are tried, in units of the largest magnitude.
const TRIED: [f32; 8] = [0.76, 0.82, 0.87, 0.91, 0.95, 1.0, 1.04, 1.08];

/// The best of the tried scales for one block whose largest magnitude is `absmax`.
pub(super) fn scale(values: &[f32], absmax: f32, table: &[f32; 16], bounds: &[f32; 15]) -> f32 {
    let mut best = (f32::INFINITY, absmax);
    for factor in TRIED {
        let scale = refined(values, absmax * factor, table, bounds);
        let error = squared_error(values, scale, table, bounds);
        if error < best.0 {
            best = (error, scale);
        }
    }
    best.1
}

/// The best scale for the codes that are nearest under `scale`.
fn refined(values: &[f32], scale: f32, table: &[f32; 16], bounds: &[f32; 15]) -> f32 {
    let (mut product, mut square) = (0.0, 0.0);
    each(values, scale, table, bounds, |value, level| {
        product += value * level;
        square += level * level;
    });
    if square > 0.0 && product > 0.0 {
        product / square
    } else {
        scale
    }
}

fn squared_error(values: &[f32], scale: f32, table: &[f32; 16], bounds: &[f32; 15]) -> f32 {
    let mut error = 0.0;
    each(values, scale, table, bounds, |value, level| error += (value - scale * level).powi(2));
    error
}

/// Calls `f` with every value and the entry of the table that stands for it under `scale`.
fn each(values: &[f32], scale: f32, table: &[f32; 16], bounds: &[f32; 15], mut f: impl FnMut(f32, f32)) {
    let inverse = 1.0 / scale;
    for values in values.chunks(STRIDE) {
        let mut scaled = [0f32; STRIDE];
        scaled.iter_mut().zip(values).for_each(|(scaled, value)| *scaled = value * inverse);
        let codes = nearest(&scaled, bounds);
        values.iter().zip(codes).for_each(|(value, code)| f(*value, table[usize::from(code)]));
    }
}

//! The dynamic 8-bit code that stores scales, and its CPU encoder in bitsandbytes.

use once_cell::sync::Lazy;

use super::NESTED_BLOCKSIZE;

/// Entries of the encoder's look-up: it rounds a value to this grid over -1..=1 before it looks for the nearest code.
const GRID: usize = 65536;

static MAP: Lazy<[f32; 256]> = Lazy::new(build_map);
static LOOKUP: Lazy<Vec<u8>> = Lazy::new(|| build_lookup(&MAP));

/// Makes both tables.
pub fn prepare() {
    Lazy::force(&LOOKUP);
}

/// The 256 values that an 8-bit code stands for, ascending: seven decades, each with twice the resolution of the
/// one below, both signs, zero and 1.0 (`create_dynamic_map(signed=True, 7, 8)` in `functional.py`; arXiv 1511.04561).
pub fn map() -> &'static [f32; 256] {
    &MAP
}

fn build_map() -> [f32; 256] {
    let mut map = [0.0f32; 256];
    map[255] = 1.0;
    let mut next = 128;
    for decade in 0..7 {
        let steps = 1usize << decade;
        let power = 10f64.powi(decade - 6) as f32;
        for i in 0..steps {
            let mean = (grid_point(i, steps) + grid_point(i + 1, steps)) / 2.0;
            map[next] = power * mean;
            map[254 - next] = -map[next];
            next += 1;
        }
    }
    map
}

/// Point `i` of `steps + 1` points from 0.1 to 1: `torch.linspace` counts from the nearer end, with one rounding.
fn grid_point(i: usize, steps: usize) -> f32 {
    let step = (1.0 - 0.1f32) / steps as f32;
    if i < steps.div_ceil(2) {
        step.mul_add(i as f32, 0.1)
    } else {
        (-step).mul_add((steps - i) as f32, 1.0)
    }
}

/// For each grid point the number of midpoints between codes that lie strictly below it.
fn build_lookup(map: &[f32; 256]) -> Vec<u8> {
    let mut code = 0usize;
    let code_at = |point: usize| {
        let value = point as f32 * 2.0 / (GRID - 1) as f32 - 1.0;
        while code < 255 && value > (map[code] + map[code + 1]) * 0.5 {
            code += 1;
        }
        code as u8
    };
    (0..GRID).map(code_at).collect()
}

/// Encodes `values` in blocks of 256: the codes, and each block's largest magnitude.
pub fn quantize(values: &[f32]) -> (Vec<u8>, Vec<f32>) {
    let mut codes = vec![0u8; values.len()];
    let absmax = values
        .chunks(NESTED_BLOCKSIZE)
        .zip(codes.chunks_mut(NESTED_BLOCKSIZE))
        .map(|(values, codes)| {
            let absmax = values.iter().fold(0.0f32, |max, value| max.max(value.abs()));
            // A block of zeros keeps code 0, whose value is not zero but is multiplied by an absmax that is.
            if absmax > 0.0 {
                let inverse = 1.0 / absmax;
                codes.iter_mut().zip(values).for_each(|(code, value)| *code = encode(value * inverse));
            }
            absmax
        })
        .collect();
    (codes, absmax)
}

/// The code of a value in -1..=1. Off the nearest code by one where the grid is coarser than the codes: that is part of
/// the format as bitsandbytes writes it, and so is the fused multiply-add.
fn encode(value: f32) -> u8 {
    let point = ((value.clamp(-1.0, 1.0) + 1.0) * 0.5).mul_add((GRID - 1) as f32, 0.5);
    // A value beyond f32's range makes NaN, which the cast turns into 0.
    LOOKUP[(point as usize).min(GRID - 1)]
}

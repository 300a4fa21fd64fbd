//! Making an image larger: Catmull-Rom over four by four pixels.

use multiversion::multiversion;

use super::{place, BITS, HALF, PHASES};

/// The first output pixel's position in the padded source: two pixels of padding less half a pixel.
const FIRST: f64 = 1.5;
/// Source pixels before the position that padding and the first tap account for.
const BEFORE: usize = 3;

/// From `from` to `to` pixels (width, height) by scales of at least 1. An axis of scale 1 is interpolated all the same, at
/// half pixels.
pub(super) fn enlarge(data: &[u8], from: (usize, usize), to: (usize, usize), (across, down): (f64, f64)) -> Vec<u8> {
    // The inverse as libvips takes it from the determinant: 1 / across would round differently.
    let determinant = 1.0 / (across * down);
    let (step_x, step_y) = (determinant * down, determinant * across);
    let masks = masks();
    let mut position = FIRST;
    let columns: Vec<([usize; 4], [i32; 4])> = (0..to.0)
        .map(|_| {
            let (at, phase) = place(position);
            position += step_x;
            (taps(at, from.0), masks[phase])
        })
        .collect();
    // Source rows that are interpolated already; four neighbours never share a place.
    let mut lines: [(usize, Vec<i32>); 4] = std::array::from_fn(|_| (usize::MAX, vec![0; to.0 * 3]));
    let mut out = vec![0; to.0 * to.1 * 3];
    for (y, out) in out.chunks_exact_mut(to.0 * 3).enumerate() {
        let (at, phase) = place(y as f64 * step_y + FIRST);
        let rows = taps(at, from.1);
        for row in rows {
            let (held, line) = &mut lines[row % 4];
            if *held != row {
                *held = row;
                across_row(&data[row * from.0 * 3..][..from.0 * 3], &columns, line);
            }
        }
        down_rows(rows.map(|row| lines[row % 4].1.as_slice()), masks[phase], out);
    }
    out
}

/// The four source pixels of a position, the edges repeated.
fn taps(at: usize, count: usize) -> [usize; 4] {
    [0, 1, 2, 3].map(|tap| (at + tap).saturating_sub(BEFORE).min(count - 1))
}

/// The coefficients of every phase, the last one included; fractions are cut as libvips does.
fn masks() -> [[i32; 4]; PHASES + 1] {
    std::array::from_fn(|phase| {
        let x = phase as f64 / PHASES as f64;
        let (rest, half) = (1.0 - x, -0.5 * x);
        let product = rest * half;
        let (first, last) = (rest * product, x * product);
        let difference = last - first;
        let second = rest - first + difference;
        let third = x - last - difference;
        [first, second, third, last].map(|weight| (weight * f64::from(1 << BITS)) as i32)
    })
}

/// One source row to the output's width. The sums may leave the range of a byte.
fn across_row(row: &[u8], columns: &[([usize; 4], [i32; 4])], out: &mut [i32]) {
    for ((taps, mask), out) in columns.iter().zip(out.chunks_exact_mut(3)) {
        for (channel, out) in out.iter_mut().enumerate() {
            let sum: i32 = taps.iter().zip(mask).map(|(tap, mask)| i32::from(row[tap * 3 + channel]) * mask).sum();
            *out = (sum + HALF) >> BITS;
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn down_rows(lines: [&[i32]; 4], mask: [i32; 4], out: &mut [u8]) {
    for (i, out) in out.iter_mut().enumerate() {
        let sum: i32 = lines.iter().zip(mask).map(|(line, mask)| line[i] * mask).sum();
        *out = ((sum + HALF) >> BITS).clamp(0, 255) as u8;
    }
}

//! The same sums without vector instructions of one's own.

use super::{Activations, Panel};
use crate::kernels::panels::{Output, LINES, WIDTH};

pub fn multiply(x: &Activations, panel: &Panel, output: &mut Output) {
    let grids = x.pieces.chunks_exact(x.pieces_of_a_row());
    for (row, (codes, grids)) in x.codes.chunks_exact(x.stride).zip(grids).enumerate() {
        let mut totals = [0.0; WIDTH];
        let lines = panel.lines.chunks(x.piece / 4 * LINES);
        for (((codes, lines), grid), weights) in codes.chunks(x.piece).zip(lines).zip(grids).zip(&panel.sums) {
            let mut sums = [grid.offset; WIDTH];
            for (a, lines) in codes.chunks_exact(4).zip(lines.chunks_exact(LINES)) {
                let a = [a[0], a[1], a[2], a[3]].map(i32::from);
                for (sum, word) in sums.iter_mut().zip(lines.iter().flat_map(|line| &line.0)) {
                    let w = word.to_ne_bytes().map(i32::from);
                    *sum += a[0] * w[0] + a[1] * w[1] + a[2] * w[2] + a[3] * w[3];
                }
            }
            for (i, total) in totals.iter_mut().enumerate() {
                *total += sums[i] as f32 * grid.step + weights[i] * grid.middle;
            }
        }
        output.finish(row, std::array::from_fn(|i| totals[i] * panel.scales[i]));
    }
}

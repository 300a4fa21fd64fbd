//! The same sums without vector instructions of one's own.

use super::Activations;
use crate::kernels::panels::{Line, Output, LINES, WIDTH};

pub fn multiply(x: &Activations, lines: &[Line], scales: &[f32], output: &mut Output) {
    for row in 0..x.scales.len() {
        let codes = &x.codes[row * x.stride..][..x.stride];
        let mut sums = [x.offsets[row]; WIDTH];
        for (a, lines) in codes.chunks_exact(4).zip(lines.chunks_exact(LINES)) {
            let a = [a[0], a[1], a[2], a[3]].map(i32::from);
            for (sum, word) in sums.iter_mut().zip(lines.iter().flat_map(|line| &line.0)) {
                let w = word.to_ne_bytes().map(i32::from);
                *sum += a[0] * w[0] + a[1] * w[1] + a[2] * w[2] + a[3] * w[3];
            }
        }
        output.finish(row, std::array::from_fn(|i| sums[i] as f32 * x.scales[row] * scales[i]));
    }
}

//! Tiles of at most 24 accumulators of 4 columns, which with a row of the right operand and a broadcast fill 29 of the 32
//! registers.

use std::arch::aarch64::*;

use super::{Element, Task};

const LANES: usize = 4;

/// See [`super::product`]; `task` must be as that function makes it.
#[target_feature(enable = "neon")]
pub unsafe fn product<T: Element>(m: usize, n: usize, task: Task<T>) {
    for first in (0..n).step_by(4 * LANES) {
        let width = (n - first).min(4 * LANES);
        let task = task.right_of(first);
        match (width / LANES, width % LANES) {
            (4, _) => columns::<_, 6, 4>(m, task),
            (whole, rest) => {
                (0..whole).for_each(|v| columns::<_, 12, 1>(m, task.right_of(v * LANES)));
                if rest > 0 {
                    super::portable::product(m, rest, task.right_of(whole * LANES));
                }
            }
        }
    }
}

#[target_feature(enable = "neon")]
unsafe fn columns<T: Element, const R: usize, const V: usize>(m: usize, task: Task<T>) {
    let mut row = 0;
    while row + R <= m {
        tile::<_, R, V>(task.below(row));
        row += R;
    }
    while row + 2 <= m {
        tile::<_, 2, V>(task.below(row));
        row += 2;
    }
    if row < m {
        tile::<_, 1, V>(task.below(row));
    }
}

/// `R` rows of `V` vectors.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn tile<T: Element, const R: usize, const V: usize>(task: Task<T>) {
    let mut sums = [[vdupq_n_f32(0.0); V]; R];
    if !task.bias.is_null() {
        for v in 0..V {
            let bias = vld1q_f32(task.bias.add(LANES * v));
            for row in &mut sums {
                row[v] = bias;
            }
        }
    }
    let (mut left, mut right) = (task.left, task.right);
    for _ in 0..task.depth {
        let mut columns = [vdupq_n_f32(0.0); V];
        for (v, column) in columns.iter_mut().enumerate() {
            *column = T::neon(right.add(LANES * v));
        }
        for (r, sums) in sums.iter_mut().enumerate() {
            let x = vld1q_dup_f32(left.add(r * task.left_row));
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = vfmaq_f32(*sum, x, column);
            }
        }
        left = left.wrapping_add(task.left_step);
        right = right.wrapping_add(task.right_row);
    }
    for (r, sums) in sums.into_iter().enumerate() {
        for (v, sum) in sums.into_iter().enumerate() {
            let out = task.out.add(r * task.out_row + LANES * v);
            let before = if task.add { vld1q_f32(out) } else { vdupq_n_f32(0.0) };
            vst1q_f32(out, vaddq_f32(sum, before));
        }
    }
}

//! The same tiles in plain Rust, which the compiler turns into the vectors that every CPU of the target has.

use super::{Element, Task};

const ROWS: usize = 4;
const COLUMNS: usize = 8;

/// See [`super::product`]; `task` must be as that function makes it.
pub unsafe fn product<T: Element>(m: usize, n: usize, task: Task<T>) {
    for first in (0..n).step_by(COLUMNS) {
        let width = (n - first).min(COLUMNS);
        let task = task.right_of(first);
        for row in (0..m).step_by(ROWS) {
            let height = (m - row).min(ROWS);
            let task = task.below(row);
            if (height, width) == (ROWS, COLUMNS) {
                tile(ROWS, COLUMNS, task);
            } else {
                tile(height, width, task);
            }
        }
    }
}

/// `rows` by `columns` outputs; called with constants where the tile is whole, so that the loops unroll.
#[inline(always)]
unsafe fn tile<T: Element>(rows: usize, columns: usize, task: Task<T>) {
    let mut sums = [[0f32; COLUMNS]; ROWS];
    for depth in 0..task.depth {
        let right = std::slice::from_raw_parts(task.right.add(depth * task.right_row), columns);
        for (r, sums) in sums[..rows].iter_mut().enumerate() {
            let x = *task.left.add(r * task.left_row + depth * task.left_step);
            for (sum, right) in sums[..columns].iter_mut().zip(right) {
                *sum += x * right.widen();
            }
        }
    }
    for (r, sums) in sums[..rows].iter().enumerate() {
        let out = std::slice::from_raw_parts_mut(task.out.add(r * task.out_row), columns);
        for (j, (out, sum)) in out.iter_mut().zip(sums).enumerate() {
            let bias = if task.bias.is_null() { 0.0 } else { *task.bias.add(j) };
            *out = sum + bias + if task.add { *out } else { 0.0 };
        }
    }
}

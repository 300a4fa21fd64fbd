//! Tiles of at most 24 accumulators of 16 columns, which with a row of the right operand and a broadcast fill the 32
//! registers.

use std::arch::x86_64::*;

use super::{Element, Task};

const LANES: usize = 16;

/// See [`super::product`]; `task` must be as that function makes it.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub unsafe fn product<T: Element>(m: usize, n: usize, task: Task<T>) {
    for first in (0..n).step_by(4 * LANES) {
        let width = (n - first).min(4 * LANES);
        let task = task.right_of(first);
        // Lanes of the last vector that are columns of the output.
        let mask = 0xffff >> (width.next_multiple_of(LANES) - width);
        match width.div_ceil(LANES) {
            4 => columns::<_, 6, 4>(m, task, mask),
            3 => columns::<_, 8, 3>(m, task, mask),
            2 => columns::<_, 12, 2>(m, task, mask),
            _ => columns::<_, 12, 1>(m, task, mask),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn columns<T: Element, const R: usize, const V: usize>(m: usize, task: Task<T>, mask: __mmask16) {
    let mut row = 0;
    while row + R <= m {
        tile::<_, R, V>(task.below(row), mask);
        row += R;
    }
    while row + 4 <= m {
        tile::<_, 4, V>(task.below(row), mask);
        row += 4;
    }
    match m - row {
        3 => tile::<_, 3, V>(task.below(row), mask),
        2 => tile::<_, 2, V>(task.below(row), mask),
        1 => tile::<_, 1, V>(task.below(row), mask),
        _ => {}
    }
}

/// `R` rows of `V` vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn tile<T: Element, const R: usize, const V: usize>(task: Task<T>, mask: __mmask16) {
    let mut masks = [0xffff; V];
    masks[V - 1] = mask;
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    if !task.bias.is_null() {
        for v in 0..V {
            let bias = _mm512_maskz_loadu_ps(masks[v], task.bias.add(LANES * v));
            for row in &mut sums {
                row[v] = bias;
            }
        }
    }
    let (mut left, mut right) = (task.left, task.right);
    for _ in 0..task.depth {
        let mut columns = [_mm512_setzero_ps(); V];
        for (v, column) in columns.iter_mut().enumerate() {
            *column = T::avx512(right.add(LANES * v), masks[v]);
        }
        for (r, sums) in sums.iter_mut().enumerate() {
            let x = _mm512_set1_ps(*left.add(r * task.left_row));
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = _mm512_fmadd_ps(x, column, *sum);
            }
        }
        left = left.wrapping_add(task.left_step);
        right = right.wrapping_add(task.right_row);
    }
    for (r, sums) in sums.into_iter().enumerate() {
        for (v, sum) in sums.into_iter().enumerate() {
            let out = task.out.add(r * task.out_row + LANES * v);
            let before = if task.add { _mm512_maskz_loadu_ps(masks[v], out) } else { _mm512_setzero_ps() };
            _mm512_mask_storeu_ps(out, masks[v], _mm512_add_ps(sum, before));
        }
    }
}

//! Tiles of at most 12 accumulators of 8 columns, which with a row of the right operand and a broadcast fill 15 of the 16
//! registers.

use std::arch::x86_64::*;

use super::{Element, Task};

const LANES: usize = 8;

/// See [`super::product`]; `task` must be as that function makes it.
#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn product<T: Element>(m: usize, n: usize, task: Task<T>) {
    for first in (0..n).step_by(2 * LANES) {
        let width = (n - first).min(2 * LANES);
        let task = task.right_of(first);
        match width {
            16 => columns::<_, 6, 2, false>(m, task, LANES),
            8 => columns::<_, 8, 1, false>(m, task, LANES),
            9.. => columns::<_, 6, 2, true>(m, task, width - LANES),
            _ => columns::<_, 8, 1, true>(m, task, width),
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn columns<T: Element, const R: usize, const V: usize, const TAIL: bool>(m: usize, task: Task<T>, lanes: usize) {
    let mut row = 0;
    while row + R <= m {
        tile::<_, R, V, TAIL>(task.below(row), lanes);
        row += R;
    }
    while row + 2 <= m {
        tile::<_, 2, V, TAIL>(task.below(row), lanes);
        row += 2;
    }
    if row < m {
        tile::<_, 1, V, TAIL>(task.below(row), lanes);
    }
}

/// `R` rows of `V` vectors; with `TAIL` only `lanes` of the last vector are columns of the output.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn tile<T: Element, const R: usize, const V: usize, const TAIL: bool>(task: Task<T>, lanes: usize) {
    let counts = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes as i32), counts);
    let load = |from: *const f32, v: usize| {
        // SAFETY: the caller's operands reach to the last column.
        unsafe {
            if TAIL && v + 1 == V {
                _mm256_maskload_ps(from.add(LANES * v), mask)
            } else {
                _mm256_loadu_ps(from.add(LANES * v))
            }
        }
    };
    let mut sums = [[_mm256_setzero_ps(); V]; R];
    if !task.bias.is_null() {
        for v in 0..V {
            let bias = load(task.bias, v);
            for row in &mut sums {
                row[v] = bias;
            }
        }
    }
    let (mut left, mut right) = (task.left, task.right);
    for _ in 0..task.depth {
        let mut columns = [_mm256_setzero_ps(); V];
        for (v, column) in columns.iter_mut().enumerate() {
            *column = if TAIL && v + 1 == V {
                T::avx2_part(right.add(LANES * v), lanes)
            } else {
                T::avx2(right.add(LANES * v))
            };
        }
        for (r, sums) in sums.iter_mut().enumerate() {
            let x = _mm256_broadcast_ss(&*left.add(r * task.left_row));
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = _mm256_fmadd_ps(x, column, *sum);
            }
        }
        left = left.wrapping_add(task.left_step);
        right = right.wrapping_add(task.right_row);
    }
    for (r, sums) in sums.into_iter().enumerate() {
        let out = task.out.add(r * task.out_row);
        for (v, sum) in sums.into_iter().enumerate() {
            let before = if task.add { load(out, v) } else { _mm256_setzero_ps() };
            let sum = _mm256_add_ps(sum, before);
            if TAIL && v + 1 == V {
                _mm256_maskstore_ps(out.add(LANES * v), mask, sum);
            } else {
                _mm256_storeu_ps(out.add(LANES * v), sum);
            }
        }
    }
}

//! Transposition, for right operands whose columns do not lie side by side.

#[cfg(target_arch = "x86_64")]
use crate::kernels::Isa;

/// `out[j * out_row + i] = x[i * row + j]` for `rows` by `cols` values.
///
/// # Panics
/// If `x` or `out` is shorter than that.
pub fn transpose(x: &[f32], row: usize, (rows, cols): (usize, usize), out: &mut [f32], out_row: usize) {
    if rows == 0 || cols == 0 {
        return;
    }
    assert!(x.len() >= (rows - 1) * row + cols && out.len() >= (cols - 1) * out_row + rows, "transpose: shapes");
    #[cfg(target_arch = "x86_64")]
    if Isa::current() != Isa::Portable {
        // SAFETY: the lengths were checked.
        return unsafe { blocks(x, row, (rows, cols), out, out_row) };
    }
    elements(x, row, (0..rows, 0..cols), out, out_row);
}

type Part = (std::ops::Range<usize>, std::ops::Range<usize>);

fn elements(x: &[f32], row: usize, (rows, cols): Part, out: &mut [f32], out_row: usize) {
    for j in cols {
        for i in rows.clone() {
            out[j * out_row + i] = x[i * row + j];
        }
    }
}

/// Blocks of 8x8 in registers, the edges element by element.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn blocks(x: &[f32], row: usize, (rows, cols): (usize, usize), out: &mut [f32], out_row: usize) {
    let (whole_rows, whole_cols) = (rows / 8 * 8, cols / 8 * 8);
    for j in (0..whole_cols).step_by(8) {
        for i in (0..whole_rows).step_by(8) {
            block(x.as_ptr().add(i * row + j), row, out.as_mut_ptr().add(j * out_row + i), out_row);
        }
    }
    elements(x, row, (0..rows, whole_cols..cols), out, out_row);
    elements(x, row, (whole_rows..rows, 0..whole_cols), out, out_row);
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx")]
unsafe fn block(x: *const f32, row: usize, out: *mut f32, out_row: usize) {
    use std::arch::x86_64::*;
    let mut r = [_mm256_setzero_ps(); 8];
    for i in 0..4 {
        // Rows i and i + 4 in halves, so that no exchange of halves is left for the end.
        let load = |at: *const f32| _mm_loadu_ps(at);
        let (top, bottom) = (x.add(i * row), x.add((i + 4) * row));
        r[i] = _mm256_set_m128(load(bottom), load(top));
        r[i + 4] = _mm256_set_m128(load(bottom.add(4)), load(top.add(4)));
    }
    for half in 0..2 {
        let [a, b, c, d] = [r[4 * half], r[4 * half + 1], r[4 * half + 2], r[4 * half + 3]];
        let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        let columns = [
            _mm256_shuffle_ps::<0x44>(ab_low, cd_low),
            _mm256_shuffle_ps::<0xee>(ab_low, cd_low),
            _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
            _mm256_shuffle_ps::<0xee>(ab_high, cd_high),
        ];
        for (j, column) in columns.into_iter().enumerate() {
            _mm256_storeu_ps(out.add((4 * half + j) * out_row), column);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition_over_odd_shapes() {
        for (rows, cols) in [(1, 1), (8, 8), (3, 20), (17, 9), (64, 33), (24, 16)] {
            let (row, out_row) = (cols + 3, rows + 2);
            let x: Vec<f32> = (0..rows * row).map(|i| i as f32).collect();
            let mut out = vec![-1.0; cols * out_row];
            transpose(&x, row, (rows, cols), &mut out, out_row);
            for (at, out) in out.iter().enumerate() {
                let (j, i) = (at / out_row, at % out_row);
                assert_eq!(*out, if i < rows { x[i * row + j] } else { -1.0 }, "{rows}x{cols} at {j}, {i}");
            }
        }
    }
}

//! Rotary position embedding (RoFormer, arXiv 2104.09864), in the convention of rotated halves: channel `i` of a head's first
//! `rotary_dim` is paired with channel `i + rotary_dim / 2`; further channels stay as they are.

use super::simd::{dispatched, Vector};

dispatched! {
    /// Rotates, in place, the first `heads` heads of `dim` channels of every row of `stride` floats. `cos` and `sin` are
    /// `[rows, rotary_dim / 2]`, the turns of each row's position.
    ///
    /// # Panics
    /// If the heads do not fit a row, the pairs a head, or the turns the rows.
    pub fn rotate(rows: &mut [f32], stride: usize, heads: usize, dim: usize, cos: &[f32], sin: &[f32]) = rotate_kernel
}

#[inline(always)]
unsafe fn rotate_kernel<V: Vector>(
    rows: &mut [f32],
    stride: usize,
    heads: usize,
    dim: usize,
    cos: &[f32],
    sin: &[f32],
) {
    if rows.is_empty() {
        return;
    }
    let half = cos.len() / (rows.len() / stride);
    assert!(heads * dim <= stride && rows.len().is_multiple_of(stride) && 2 * half <= dim, "rope: heads");
    assert!(cos.len() == rows.len() / stride * half && sin.len() == cos.len(), "rope: turns");
    if half == 0 {
        return;
    }
    let whole = half / V::LANES * V::LANES;
    for (row, (cos, sin)) in rows.chunks_exact_mut(stride).zip(cos.chunks_exact(half).zip(sin.chunks_exact(half))) {
        for head in row[..heads * dim].chunks_exact_mut(dim) {
            let (first, second) = head.split_at_mut(half);
            for i in (0..whole).step_by(V::LANES) {
                let (a, b) = (V::load(first.as_ptr().add(i)), V::load(second.as_ptr().add(i)));
                let (cos, sin) = (V::load(cos.as_ptr().add(i)), V::load(sin.as_ptr().add(i)));
                a.mul(cos).sub(b.mul(sin)).store(first.as_mut_ptr().add(i));
                b.mul(cos).add(a.mul(sin)).store(second.as_mut_ptr().add(i));
            }
            for i in whole..half {
                let (a, b) = (first[i], second[i]);
                first[i] = a * cos[i] - b * sin[i];
                second[i] = b * cos[i] + a * sin[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::tests::versions;
    use super::*;
    use crate::kernels::panels::tests::values;

    #[test]
    fn every_vector_turns_pairs_and_leaves_the_rest() {
        for (rows, heads, dim, half, gap) in [(1, 1, 4, 2, 0), (5, 3, 64, 32, 7), (4, 2, 64, 16, 64), (3, 2, 72, 36, 0)]
        {
            let stride = heads * dim + gap;
            let before = values(rows * stride, 3);
            let angles: Vec<f32> = values(rows * half, 4).iter().map(|v| v * 9.0).collect();
            let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|a| (a.cos(), a.sin())).unzip();
            versions!(V => {
                let mut out = before.clone();
                rotate_kernel::<V>(&mut out, stride, heads, dim, &cos, &sin);
                for (at, out) in out.iter().enumerate() {
                    let (row, head, i) = (at / stride, at % stride / dim, at % stride % dim);
                    let own = before[at];
                    if head >= heads || i >= 2 * half {
                        assert_eq!(*out, own, "row {row}, head {head}, channel {i} must stay");
                        continue;
                    }
                    let turn = row * half + i % half;
                    let other = if i < half { -before[at + half] } else { before[at - half] };
                    let expected = own * cos[turn] + other * sin[turn];
                    assert!((out - expected).abs() < 1e-6, "row {row}, head {head}, channel {i}");
                }
            });
        }
    }
}

//! Attention of one new token to the tokens written before it.

use crate::kernels::elementwise::exp_row;
use crate::kernels::simd::{dispatched, Vector};

dispatched! {
    /// One head: `out = softmax(scale * q·kᵀ)·v` over the rows `keys[i]` and `values[i]`, of which channels `at..` are this
    /// head's. `q` and `out` are `[dim]`, `scores` is room for one number a row.
    ///
    /// # Panics
    /// If a row ends before `at + dim`, or there is not a score and a value for every key.
    pub fn attend_written(
        q: &[f32],
        keys: &[&[f32]],
        values: &[&[f32]],
        at: usize,
        scale: f32,
        scores: &mut [f32],
        out: &mut [f32],
    ) = kernel
}

#[inline(always)]
unsafe fn kernel<V: Vector>(
    q: &[f32],
    keys: &[&[f32]],
    values: &[&[f32]],
    at: usize,
    scale: f32,
    scores: &mut [f32],
    out: &mut [f32],
) {
    let own = at..at + q.len();
    assert!(scores.len() == keys.len() && values.len() == keys.len() && out.len() == q.len());
    score_kernel::<V>(q, keys, at, scores);
    let sum = exp_row(scores, scale);
    out.fill(0.0);
    for (score, value) in scores.iter().zip(values) {
        add_scaled::<V>(out, score / sum, &value[own.clone()]);
    }
}

dispatched! {
    /// `scores[i] = q·keys[i]` over the channels `at..` of each key.
    pub fn score_written(q: &[f32], keys: &[&[f32]], at: usize, scores: &mut [f32]) = score_kernel
}

#[inline(always)]
unsafe fn score_kernel<V: Vector>(q: &[f32], keys: &[&[f32]], at: usize, scores: &mut [f32]) {
    for (score, key) in scores.iter_mut().zip(keys) {
        *score = dot::<V>(q, &key[at..at + q.len()]);
    }
}

dispatched! {
    /// `out += Σ weights[i] * values[i]` over the channels `at..` of each value.
    pub fn add_written(weights: &[f32], values: &[&[f32]], at: usize, out: &mut [f32]) = add_kernel
}

#[inline(always)]
unsafe fn add_kernel<V: Vector>(weights: &[f32], values: &[&[f32]], at: usize, out: &mut [f32]) {
    for (weight, value) in weights.iter().zip(values) {
        add_scaled::<V>(out, *weight, &value[at..at + out.len()]);
    }
}

/// Both are of the same length.
#[inline(always)]
unsafe fn dot<V: Vector>(a: &[f32], b: &[f32]) -> f32 {
    let whole = a.len() / V::LANES * V::LANES;
    let mut sums = V::splat(0.0);
    for i in (0..whole).step_by(V::LANES) {
        sums = V::load(a.as_ptr().add(i)).mul_add(V::load(b.as_ptr().add(i)), sums);
    }
    sums.sum() + a[whole..].iter().zip(&b[whole..]).map(|(a, b)| a * b).sum::<f32>()
}

/// `out += factor * values`, both of the same length.
#[inline(always)]
unsafe fn add_scaled<V: Vector>(out: &mut [f32], factor: f32, values: &[f32]) {
    let whole = out.len() / V::LANES * V::LANES;
    let factors = V::splat(factor);
    for i in (0..whole).step_by(V::LANES) {
        let at = out.as_mut_ptr().add(i);
        V::load(values.as_ptr().add(i)).mul_add(factors, V::load(at)).store(at);
    }
    out[whole..].iter_mut().zip(&values[whole..]).for_each(|(out, v)| *out += factor * v);
}

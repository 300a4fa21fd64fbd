//! Attention of a decoder's step: a row for each beam and head, to tokens that all beams share and to those that each beam
//! has written itself.

use super::shared::{score_shared, TOKENS};
use super::streamed::QUERIES;
use super::written::{add_written, score_written};
use crate::kernels::elementwise::{exp_row, scale_row};
use crate::kernels::product::{product, Element, Left, Out, Right, Start};
use crate::kernels::Scratch;

/// What one beam has written: rows of keys and of values, of all heads.
pub struct Written<'a> {
    pub keys: Vec<&'a [f32]>,
    pub values: Vec<&'a [f32]>,
}

/// The attention of the queries of one head of keys and values: `out = softmax(scale * q·keysᵀ)·values`. `q` and `out` are
/// `[beams * group, dim]`, the same number of rows for each beam of `written`; `keys` and `values` are the shared tokens in the
/// order of [`super::attend_shared`]; channels `at..` of the written rows are this head's. All beams have written equally
/// many tokens. Runs on the calling thread.
pub fn attend_prefixed<T: Element>(
    q: &[f32],
    (keys, values): (&[T], &[T]),
    written: &[Written],
    (at, dim): (usize, usize),
    scale: f32,
    out: &mut [f32],
) {
    let (shared, own) = (values.len() / dim, written.first().map_or(0, |beam| beam.keys.len()));
    let (group, tokens) = (q.len() / dim / written.len().max(1), shared + own);
    for (block, (q, out)) in q.chunks(QUERIES * dim).zip(out.chunks_mut(QUERIES * dim)).enumerate() {
        let rows = q.len() / dim;
        let beam = |row: usize| &written[(block * QUERIES + row) / group];
        let (mut scores, mut sums) = (Scratch::take(rows * tokens), [0.0; QUERIES]);
        for (part, keys) in keys.chunks(TOKENS * dim).enumerate() {
            let place = Out { values: &mut scores[part * TOKENS..], row: tokens };
            score_shared((rows, dim), Left { values: q, row: dim, step: 1 }, keys, place);
        }
        for (row, scores) in scores.chunks_exact_mut(tokens).enumerate() {
            score_written(&q[row * dim..][..dim], &beam(row).keys, at, &mut scores[shared..]);
            sums[row] = exp_row(scores, scale);
        }
        product(
            (rows, dim, shared),
            Left { values: &scores, row: tokens, step: 1 },
            Right { values, row: dim },
            Start::default(),
            Out { values: out, row: dim },
        );
        for (row, (out, scores)) in out.chunks_exact_mut(dim).zip(scores.chunks_exact(tokens)).enumerate() {
            add_written(&scores[shared..], &beam(row).values, at, out);
            scale_row(out, 1.0 / sums[row]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{attend_written, turn_keys};
    use super::*;
    use crate::kernels::panels::tests::values;
    use half::f16;

    #[test]
    fn equals_attention_to_all_rows_one_by_one() {
        let (dim, at) = (24, 24);
        for (beams, group, shared, own) in [(1, 1, 70, 0), (1, 3, 130, 1), (3, 2, 64, 9), (13, 4, 33, 5), (2, 1, 0, 4)]
        {
            let width = 2 * dim;
            let q = values(beams * group * dim, 1);
            let (k, v) = (values((shared + beams * own) * width, 2), values((shared + beams * own) * width, 3));
            // Beams take turns in writing.
            let path = |beam: usize| (0..own).map(move |step| shared + step * beams + beam);
            let written: Vec<Written> = (0..beams)
                .map(|beam| Written {
                    keys: path(beam).map(|i| &k[i * width..][..width]).collect(),
                    values: path(beam).map(|i| &v[i * width..][..width]).collect(),
                })
                .collect();
            let mut keys = vec![0.0; shared * dim];
            turn_keys(&k[at..], width, dim, &mut keys);
            let own_values: Vec<f32> = (0..shared).flat_map(|i| &v[i * width + at..][..dim]).copied().collect();
            let (mut out, mut rounded) = (vec![0.0; q.len()], vec![0.0; q.len()]);
            attend_prefixed(&q, (&keys[..], &own_values[..]), &written, (at, dim), 0.7, &mut out);
            let half = |values: &[f32]| values.iter().map(|v| f16::from_f32(*v)).collect::<Vec<_>>();
            let halves = (half(&keys), half(&own_values));
            attend_prefixed(&q, (&halves.0[..], &halves.1[..]), &written, (at, dim), 0.7, &mut rounded);
            for (r, q) in q.chunks_exact(dim).enumerate() {
                let seen: Vec<usize> = (0..shared).chain(path(r / group)).collect();
                let keys: Vec<&[f32]> = seen.iter().map(|i| &k[i * width..][..width]).collect();
                let values: Vec<&[f32]> = seen.iter().map(|i| &v[i * width..][..width]).collect();
                let (mut expected, mut scores) = (vec![0.0; dim], vec![0.0; seen.len()]);
                attend_written(q, &keys, &values, at, 0.7, &mut scores, &mut expected);
                for (c, expected) in expected.iter().enumerate() {
                    assert!((out[r * dim + c] - expected).abs() < 1e-5, "{beams} beams, {shared} shared, row {r}");
                    assert!((rounded[r * dim + c] - expected).abs() < 4e-3, "{beams} beams, {shared} in f16, row {r}");
                }
            }
        }
    }
}

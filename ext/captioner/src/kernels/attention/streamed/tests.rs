//! Against the definition in `f64`, and bf16 against a twin that rounds the same numbers.

use super::*;
use crate::kernels::panels::tests::values;

/// Shapes with ragged tiles, head sizes of all families and one that is odd; gaps between rows.
fn shapes() -> Vec<(Streamed, Mask)> {
    let shape = |queries, keys, dim| Streamed {
        queries,
        keys,
        dim,
        q_stride: 3 * dim + 1,
        kv_stride: 2 * dim,
        out_stride: dim + 5,
    };
    let causal = |prefix| Mask::Causal { prefix };
    vec![
        (shape(1, 1, 64), causal(0)),
        (shape(1, 100, 64), Mask::None),
        (shape(1, 100, 32), causal(0)),
        (shape(65, 65, 64), causal(0)),
        (shape(200, 200, 64), causal(130)),
        (shape(31, 131, 32), causal(0)),
        (shape(90, 301, 72), causal(240)),
        (shape(130, 97, 72), Mask::None),
        (shape(47, 207, 9), Mask::None),
        (shape(17, 95, 64), causal(1000)),
    ]
}

/// Queries, keys and values, rows apart; scores of up to some twenty, in which some keys stand out.
fn inputs(shape: Streamed, seed: u32) -> [Vec<f32>; 3] {
    let q = values(shape.queries * shape.q_stride, seed);
    let mut k = values(shape.keys * shape.kv_stride, seed + 1);
    for (i, row) in k.chunks_mut(shape.kv_stride).enumerate() {
        row.iter_mut().for_each(|v| *v *= if i % 37 == 36 { 12.0 } else { 3.0 });
    }
    [q, k, values(shape.keys * shape.kv_stride, seed + 2)]
}

/// `[queries, dim]` by the definition; `number` is what becomes of `q * scale`, `k` and `v`, `weight` makes a weight of a score.
fn definition(
    [q, k, v]: &[Vec<f32>; 3],
    (shape, mask): (Streamed, Mask),
    scale: f32,
    number: fn(f32) -> f32,
    weight: fn(f64) -> f64,
) -> Vec<f64> {
    let Streamed { queries, keys, dim, q_stride, kv_stride, .. } = shape;
    let mut out = Vec::new();
    for i in 0..queries {
        let position = (keys + i).saturating_sub(queries);
        let sees = |j: usize| match mask {
            Mask::None => true,
            Mask::Causal { prefix } => j <= position || (j < prefix && position < prefix),
        };
        let scores: Vec<f64> = (0..keys)
            .filter(|j| sees(*j))
            .map(|j| {
                (0..dim)
                    .map(|c| f64::from(number(q[i * q_stride + c] * scale)) * f64::from(number(k[j * kv_stride + c])))
                    .sum()
            })
            .collect();
        let seen: Vec<usize> = (0..keys).filter(|j| sees(*j)).collect();
        let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil();
        let weights: Vec<f64> = scores.iter().map(|score| weight(score - highest)).collect();
        let sum: f64 = weights.iter().sum();
        let mixed = |c: usize| -> f64 {
            seen.iter().zip(&weights).map(|(j, w)| w * f64::from(number(v[j * kv_stride + c]))).sum::<f64>() / sum
        };
        out.extend((0..dim).map(mixed));
    }
    out
}

/// ‖ours - expected‖ / ‖expected‖ over the rows of the output; what is between them must be untouched.
fn error(out: &[f32], shape: Streamed, expected: &[f64]) -> f64 {
    let (mut difference, mut length) = (0.0, 0.0);
    for (row, expected) in out.chunks(shape.out_stride).zip(expected.chunks(shape.dim)) {
        assert!(row[shape.dim..].iter().all(|v| *v == 7.0), "wrote beside the head");
        for (v, e) in row.iter().zip(expected) {
            difference += (f64::from(*v) - e).powi(2);
            length += e * e;
        }
    }
    (difference / length).sqrt()
}

fn run([q, k, v]: &[Vec<f32>; 3], (shape, mask): (Streamed, Mask), scale: f32, arithmetic: Arithmetic) -> Vec<f32> {
    let mut out = vec![7.0; shape.queries * shape.out_stride];
    attend_streamed(q, k, v, shape, mask, scale, arithmetic, &mut out);
    out
}

fn bf16(value: f32) -> f32 {
    half::bf16::from_f32(value).to_f32()
}

/// `2^score` as the kernel computes it, cut to the eight leading bits that a bf16 has.
fn cut(score: f64) -> f64 {
    const POWER: [f32; 4] = [0.999_928_06, 0.693_260_97, 0.242_611_13, 0.055_171_67];
    let score = score as f32;
    let whole = score.round_ties_even();
    let power = POWER.iter().rev().fold(0f32, |p, coefficient| p.mul_add(score - whole, *coefficient));
    f64::from(f32::from_bits((power * whole.exp2()).to_bits() & 0xFFFF_0000))
}

#[test]
fn floats_equal_the_definition() {
    for (i, case) in shapes().into_iter().enumerate() {
        let (inputs, scale) = (inputs(case.0, i as u32), 0.3);
        let expected = definition(&inputs, case, scale * std::f32::consts::LOG2_E, |v| v, f64::exp2);
        let error = error(&run(&inputs, case, scale, Arithmetic::F32), case.0, &expected);
        assert!(error < 2e-6, "{case:?}: {error}");
    }
}

#[test]
fn bf16_equals_its_twin_and_is_close_to_the_definition() {
    for (i, case) in shapes().into_iter().enumerate() {
        let (inputs, scale) = (inputs(case.0, i as u32), 0.3);
        let factor = scale * std::f32::consts::LOG2_E;
        let out = run(&inputs, case, scale, Arithmetic::Bf16);
        if Isa::current() == Isa::Avx512Bf16 {
            let twin = error(&out, case.0, &definition(&inputs, case, factor, bf16, cut));
            assert!(twin < 3e-4, "{case:?}: {twin} from the twin");
        }
        let exact = error(&out, case.0, &definition(&inputs, case, factor, |v| v, f64::exp2));
        assert!(exact < 2e-2, "{case:?}: {exact}");
    }
}

#[test]
fn references_that_rise_lose_nothing() {
    // Every key scores far higher than those before it, so that references rise again and again.
    let shape = Streamed { queries: 70, keys: 300, dim: 32, q_stride: 32, kv_stride: 32, out_stride: 32 };
    let q: Vec<f32> = values(70 * 32, 1).iter().map(|v| v.abs()).collect();
    let k: Vec<f32> = (0..300 * 32).map(|i| (i / 32) as f32 * 0.25).collect();
    let inputs = [q, k, values(300 * 32, 2)];
    for scale in [1.0, -1.0, 30.0] {
        let case = (shape, Mask::None);
        // Elsewhere this is `f32`, which must not be compared with rounded keys: their scores are large.
        let round = if Isa::current() == Isa::Avx512Bf16 { bf16 } else { |v| v };
        let expected = definition(&inputs, case, scale * std::f32::consts::LOG2_E, round, f64::exp2);
        let error = error(&run(&inputs, case, scale, Arithmetic::Bf16), shape, &expected);
        assert!(error < 1e-2, "scale {scale}: {error}");
    }
}

#[test]
fn rows_do_not_depend_on_where_their_tile_begins() {
    for arithmetic in [Arithmetic::F32, Arithmetic::Bf16] {
        let case = (shapes()[6].0, Mask::Causal { prefix: 240 });
        let (inputs, shape) = (inputs(case.0, 5), case.0);
        let whole = run(&inputs, case, 0.2, arithmetic);
        let keys = Keys::pack(&inputs[1], &inputs[2], shape, arithmetic);
        for rows in [0..64, 10..11, 33..90, 64..90] {
            let mut out = vec![7.0; rows.len() * shape.out_stride];
            keys.attend(&inputs[0][rows.start * shape.q_stride..], rows.clone(), case.1, 0.2, &mut out);
            let whole = &whole[rows.start * shape.out_stride..rows.end * shape.out_stride];
            let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5;
            assert!(out.iter().zip(whole).all(near), "{arithmetic:?} {rows:?}");
        }
    }
}

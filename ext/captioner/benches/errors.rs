//! How exact the fast kernels are: `cargo bench -p captioner --bench errors` prints ‖ours - exact‖ / ‖exact‖ of attention in bf16
//! and of products in int8 as Markdown tables (where one value of 3000 is, ‖exact‖ is of the others). Inputs come from a seed.

use captioner::kernels::{
    attend_streamed, matmul, ActivationScales, Arithmetic, Buffer, Compute, Epilogue, Mask, Matrix, Storage, Streamed,
};
use captioner::quant::{quantize_rows, FloatType, RowScale};

fn main() {
    println!("| attention | scores' deviation | bf16 | f32 |\n| --- | --- | --- | --- |");
    for (name, tokens, dim, mask) in [
        ("1024 tokens x 64", 1024, 64, Mask::None),
        ("729 tokens x 72", 729, 72, Mask::None),
        ("1141 tokens x 64, causal", 1141, 64, Mask::Causal { prefix: 0 }),
    ] {
        for deviation in [0.5, 2.0, 5.0] {
            let [bf16, f32] = attention(tokens, dim, mask, deviation);
            println!("| {name} | {deviation} | {bf16:.5} | {f32:.7} |");
        }
    }
    println!(
        "\n| activations | inputs | absmax / rms | one scale a row | blocks of 64 |\n| --- | --- | --- | --- | --- |"
    );
    for inputs in [576, 768, 1536, 3072] {
        for (name, tails) in
            [("bell-shaped", Tails::None), ("some channels large", Tails::Channels), ("one value of 3000", Tails::One)]
        {
            let (peak, [row, block]) = products(inputs, tails);
            println!("| {name} | {inputs} | {peak:.1} | {row:.4} | {block:.4} |");
        }
    }
}

/// Bell-shaped numbers of deviation one.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        let mut uniform = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 40) as f32 / (1 << 24) as f32
        };
        // Twelve of deviation 1 / sqrt(12) each.
        (0..12).map(|_| uniform()).sum::<f32>() - 6.0
    }

    fn take(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.next()).collect()
    }
}

fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

fn difference(ours: &[f32], exact: &[f64]) -> f64 {
    length(ours.iter().zip(exact).map(|(a, b)| f64::from(*a) - b))
}

/// Errors in bf16 and in f32, of one head whose scores have this deviation.
fn attention(tokens: usize, dim: usize, mask: Mask, deviation: f32) -> [f64; 2] {
    let mut noise = Noise(7);
    let [q, k, v] = [(); 3].map(|()| noise.take(tokens * dim));
    let scale = deviation / (dim as f32).sqrt();
    let mut exact = vec![0f64; tokens * dim];
    for (i, out) in exact.chunks_exact_mut(dim).enumerate() {
        let seen = if mask == Mask::None { tokens } else { i + 1 };
        let score = |j: usize| (0..dim).map(|c| f64::from(q[i * dim + c]) * f64::from(k[j * dim + c])).sum::<f64>();
        let scores: Vec<f64> = (0..seen).map(|j| (score(j) * f64::from(scale)).exp()).collect();
        let sum: f64 = scores.iter().sum();
        for (j, score) in scores.iter().enumerate() {
            out.iter_mut().zip(&v[j * dim..]).for_each(|(out, v)| *out += score / sum * f64::from(*v));
        }
    }
    let shape = Streamed { queries: tokens, keys: tokens, dim, q_stride: dim, kv_stride: dim, out_stride: dim };
    [Arithmetic::Bf16, Arithmetic::F32].map(|arithmetic| {
        let mut out = vec![0.0; tokens * dim];
        attend_streamed(&q, &k, &v, shape, mask, scale, arithmetic, &mut out);
        difference(&out, &exact) / length(exact.iter().copied())
    })
}

/// What stands out among the activations.
#[derive(Clone, Copy, PartialEq)]
enum Tails {
    None,
    /// One channel in 200 is large in every row, as in the inputs of a language model's layers.
    Channels,
    /// One value of a row, as in the inputs of its down projections.
    One,
}

/// The mean of the rows' absmax / rms, and the errors of a product with one scale a row and with blocks.
fn products(inputs: usize, tails: Tails) -> (f64, [f64; 2]) {
    let (rows, outputs, mut noise) = (64, 256, Noise(11));
    let weights = quantize_rows(&noise.take(outputs * inputs), outputs, RowScale::F16).expect("finite");
    let codes = weights.view().codes().iter().map(|code| *code as u8).collect();
    let scales = (0..outputs).flat_map(|row| weights.view().scale(row).to_le_bytes()).collect();
    let storage = Storage::Int8 { codes: Buffer::owned(codes), scales: (FloatType::F32, Buffer::owned(scales)) };
    let weight = Matrix::new(outputs, inputs, storage).expect("lengths fit").computing(Compute::Fast);
    let mut x = noise.take(rows * inputs);
    let mut peak = 0.0;
    for (row, x) in x.chunks_exact_mut(inputs).enumerate() {
        match tails {
            Tails::None => {}
            Tails::Channels => x.iter_mut().skip(37).step_by(200).for_each(|v| *v *= 12.0),
            Tails::One => x[row * 97 % inputs] = 3000.0,
        }
        let rms = (x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / inputs as f64).sqrt();
        peak += f64::from(x.iter().fold(0f32, |most, v| most.max(v.abs()))) / rms / rows as f64;
    }
    let w: Vec<f64> = weight.to_vec().into_iter().map(f64::from).collect();
    let product = |x: &[f32]| -> Vec<f64> {
        let sum = |x: &[f32], w: &[f64]| w.iter().zip(x).map(|(w, x)| w * f64::from(*x)).sum();
        x.chunks_exact(inputs).flat_map(|x| w.chunks_exact(inputs).map(move |w| sum(x, w))).collect()
    };
    let exact = product(&x);
    // A single value's share, which is nearly all of the product, is right either way: what counts is what becomes of the others.
    let others: Vec<f32> = x.iter().map(|v| if *v == 3000.0 { 0.0 } else { *v }).collect();
    let all = length(product(&others).into_iter());
    let errors = [ActivationScales::PerRow, ActivationScales::PerBlock].map(|scales| {
        let mut out = vec![0.0; rows * outputs];
        matmul(&x, &weight.clone().scaling(scales), None, Epilogue::Store, &mut out);
        difference(&out, &exact) / all
    });
    (peak, errors)
}

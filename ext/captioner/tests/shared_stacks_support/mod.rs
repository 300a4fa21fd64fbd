//! Random weights, and the definition of a parallel decoder.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use candle_core::{Device, Tensor};
use captioner::blocks::{CausalConfig, MlpNames};
use captioner::kernels::{Buffer, Matrix, Storage};
use captioner::nn::QkvNames;
use captioner::quant::{quantize_rows, FloatType, RowScale};
use captioner::weights::Source;
use captioner::Result;

/// Numbers between -1 and 1 that look like noise.
pub fn noise(len: usize, seed: u32) -> Vec<f32> {
    let mut state = (seed | 1).wrapping_mul(0x9E37_79B9);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / (1u32 << 31) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

type Named = HashMap<String, (Vec<usize>, Vec<f32>)>;

/// A source that has whatever it is asked for, and remembers it.
#[derive(Default)]
pub struct Invented {
    named: RefCell<Named>,
    is_int8: bool,
}

impl Invented {
    /// One whose matrices are stored in int8.
    pub fn int8() -> Self {
        Self { is_int8: true, ..Self::default() }
    }

    /// The values of a tensor: norms near one, matrices such that their products keep the scale of their input.
    pub fn invent(&self, name: &str, shape: &[usize]) -> Vec<f32> {
        let mut tensors = self.named.borrow_mut();
        let (_, values) = tensors.entry(name.to_string()).or_insert_with(|| {
            let mut hasher = DefaultHasher::new();
            name.hash(&mut hasher);
            let values = noise(shape.iter().product(), hasher.finish() as u32);
            let inputs: usize = shape[1..].iter().product();
            let values = match (shape.len(), name.ends_with("bias")) {
                (1, false) => values.iter().map(|v| 1.0 + v / 5.0).collect(),
                (1, true) => values.iter().map(|v| v / 5.0).collect(),
                _ => values.iter().map(|v| v * (3.0 / inputs as f32).sqrt()).collect(),
            };
            (shape.to_vec(), values)
        });
        values.clone()
    }

    /// All that was asked for.
    pub fn tensors(&self) -> HashMap<String, Tensor> {
        let named = self.named.borrow();
        let tensor = |(shape, values): &(Vec<usize>, Vec<f32>)| {
            Tensor::from_slice(values, shape.as_slice(), &Device::Cpu).unwrap()
        };
        named.iter().map(|(name, values)| (name.clone(), tensor(values))).collect()
    }

    fn known(&self, name: &str) -> Vec<f64> {
        self.named.borrow()[name].1.iter().copied().map(f64::from).collect()
    }
}

impl Source for Invented {
    fn contains(&self, _name: &str) -> bool {
        true
    }

    fn matrix(&self, name: &str, shape: &[usize]) -> Result<Matrix> {
        let (values, cols) = (self.invent(name, shape), shape[1..].iter().product());
        let bytes = |values: &[f32]| Buffer::owned(values.iter().flat_map(|v| v.to_le_bytes()).collect());
        if !self.is_int8 {
            return Matrix::new(shape[0], cols, Storage::Float(FloatType::F32, bytes(&values)));
        }
        let rows = quantize_rows(&values, shape[0], RowScale::F32)?;
        let codes = Buffer::owned(rows.view().codes().iter().map(|code| *code as u8).collect());
        let scales = (FloatType::F32, bytes(&rows.view().scales().to_vec()));
        Matrix::new(shape[0], cols, Storage::Int8 { codes, scales })
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        Ok(self.invent(name, shape))
    }

    fn buffers(&self) -> Vec<Buffer> {
        Vec::new()
    }
}

/// A decoder with one norm a layer, a fused projection and biases, as its formulas say, in `f64`: the hidden states of all
/// positions after the last norm.
pub fn definition(config: &CausalConfig, weights: &Invented, x: &[f32], prefix: usize) -> Vec<f64> {
    let (hidden, heads, dim) = (config.hidden, config.heads.heads, config.heads.dim);
    let (QkvNames::Fused(qkv), MlpNames::Plain([fc1, fc2], _)) = (config.names.qkv, config.names.mlp) else {
        panic!("a fused projection and a plain MLP")
    };
    let tokens = x.len() / hidden;
    let norm = |x: &[f64], name: &str| -> Vec<f64> {
        let (weight, bias) = (weights.known(&format!("{name}.weight")), weights.known(&format!("{name}.bias")));
        x.chunks(hidden)
            .flat_map(|x| {
                let mean = x.iter().sum::<f64>() / hidden as f64;
                let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / hidden as f64;
                let normed = |i: usize| (x[i] - mean) / (variance + f64::from(config.eps)).sqrt() * weight[i] + bias[i];
                (0..hidden).map(normed).collect::<Vec<_>>()
            })
            .collect()
    };
    let linear = |x: &[f64], name: &str| -> Vec<f64> {
        let (weight, bias) = (weights.known(&format!("{name}.weight")), weights.known(&format!("{name}.bias")));
        let inputs = weight.len() / bias.len();
        let product = |x: &[f64], row: &[f64]| x.iter().zip(row).map(|(x, w)| x * w).sum::<f64>();
        x.chunks(inputs)
            .flat_map(|x| {
                weight.chunks(inputs).zip(&bias).map(|(row, bias)| product(x, row) + bias).collect::<Vec<_>>()
            })
            .collect()
    };
    let turned = |head: &[f64], position: usize| -> Vec<f64> {
        let (mut out, half) = (head.to_vec(), config.rotary_dim / 2);
        for i in 0..half {
            let frequency = f64::from(config.rope_theta).powf(-2.0 * i as f64 / config.rotary_dim as f64);
            let (sin, cos) = (position as f64 * frequency).sin_cos();
            out[i] = head[i] * cos - head[i + half] * sin;
            out[i + half] = head[i + half] * cos + head[i] * sin;
        }
        out
    };
    let mut x: Vec<f64> = x.iter().copied().map(f64::from).collect();
    for layer in 0..config.layers {
        let name = |name: &str| format!("{}.{layer}.{name}", config.names.layers);
        let normed = norm(&x, &name(config.names.attention_norm));
        let qkv = linear(&normed, &name(qkv));
        let at = |token: usize, part: usize, head: usize| {
            &qkv[token * 3 * heads * dim + (part * heads + head) * dim..][..dim]
        };
        let mut mixed = vec![0.0; tokens * heads * dim];
        for head in 0..heads {
            let keys: Vec<Vec<f64>> = (0..tokens).map(|token| turned(at(token, 1, head), token)).collect();
            for i in 0..tokens {
                let q = turned(at(i, 0, head), i);
                let seen: Vec<usize> = (0..tokens).filter(|j| *j <= i || (i < prefix && *j < prefix)).collect();
                let score = |j: &usize| q.iter().zip(&keys[*j]).map(|(q, k)| q * k).sum::<f64>() / (dim as f64).sqrt();
                let exps: Vec<f64> = seen.iter().map(score).map(f64::exp).collect();
                let sum: f64 = exps.iter().sum();
                for (j, exp) in seen.iter().zip(&exps) {
                    let out = &mut mixed[(i * heads + head) * dim..][..dim];
                    out.iter_mut().zip(at(*j, 2, head)).for_each(|(out, v)| *out += exp / sum * v);
                }
            }
        }
        let attended = linear(&mixed, &name(config.names.attention_out));
        let inner = linear(&normed, &name(fc1)).into_iter().map(|x| {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            x / 2.0 * (1.0 + u.tanh())
        });
        let mlp = linear(&inner.collect::<Vec<_>>(), &name(fc2));
        x.iter_mut().zip(attended.iter().zip(&mlp)).for_each(|(x, (a, b))| *x += a + b);
    }
    norm(&x, config.names.final_norm)
}

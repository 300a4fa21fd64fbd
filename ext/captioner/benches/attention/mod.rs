//! Attention over many keys in the models' shapes, all heads, on all threads of the pool.

use std::time::Duration;

use captioner::kernels::{Arithmetic, Keys, Mask, Streamed};
use captioner::runtime;
use criterion::{BenchmarkId, Criterion, Throughput};
use rayon::prelude::*;

/// Name, tokens, heads, channels of a head, and what a token sees.
const SHAPES: [(&str, usize, usize, usize, Mask); 4] = [
    ("siglip", 1024, 12, 64, Mask::None),
    ("vision-72", 729, 16, 72, Mask::None),
    ("llama-prompt", 1141, 9, 64, Mask::Causal { prefix: 0 }),
    ("prefixed-prompt", 735, 32, 64, Mask::Causal { prefix: 730 }),
];

/// Operations are those of the scores that are seen, two for each multiplication and addition of both products.
pub fn attention(criterion: &mut Criterion) {
    let pool = runtime::pool().expect("threads can be started");
    for arithmetic in [Arithmetic::Bf16, Arithmetic::F32] {
        let mut group = criterion.benchmark_group(format!("attention/{arithmetic:?}").to_lowercase());
        group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
        for (name, tokens, heads, dim, mask) in SHAPES {
            let width = heads * dim;
            let (qkv, mut out) = (super::noise(tokens * 3 * width), vec![0.0; tokens * width]);
            let row = 3 * width;
            let shape =
                Streamed { queries: tokens, keys: tokens, dim, q_stride: row, kv_stride: row, out_stride: width };
            let seen = |token: usize| match mask {
                Mask::Causal { prefix } if token >= prefix => token + 1,
                Mask::Causal { prefix } => prefix,
                Mask::None => tokens,
            };
            let seen: usize = (0..tokens).map(seen).sum();
            group.throughput(Throughput::Elements((4 * seen * width) as u64));
            let part = tokens.div_ceil(pool.current_num_threads() * 2);
            group.bench_function(BenchmarkId::new(name, format!("{tokens}x{heads}x{dim}")), |bencher| {
                bencher.iter(|| {
                    pool.install(|| {
                        let keys = (0..heads).into_par_iter().map(|head| {
                            let at = head * dim;
                            Keys::pack(&qkv[width + at..], &qkv[2 * width + at..], shape, arithmetic)
                        });
                        let keys: Vec<_> = keys.collect();
                        out.par_chunks_mut(part * width).enumerate().for_each(|(i, out)| {
                            let rows = i * part..tokens.min((i + 1) * part);
                            for (head, keys) in keys.iter().enumerate() {
                                let (q, out) = (&qkv[rows.start * row + head * dim..], &mut out[head * dim..]);
                                keys.attend(q, rows.clone(), mask, 0.125, out);
                            }
                        });
                    });
                });
            });
        }
        group.finish();
    }
}

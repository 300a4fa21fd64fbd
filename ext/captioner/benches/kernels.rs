//! Products with weights in the shapes of Florence-2-base, beside the machine's ceilings measured in the same run:
//! `cargo bench -p captioner --bench kernels`, or with a filter, `... -- vision/nf4`. Throughput is operations a second, two
//! for each multiplication and addition. Every product runs on all threads of the pool, unpacking and rounding included.
//! `MEME_CAPTIONER_THREADS` and `MEME_CAPTIONER_KERNELS` choose threads and instructions.

mod ceiling;

use std::time::Duration;

use captioner::kernels::{matmul, BlockScales, Buffer, Compute, Epilogue, Matrix, Storage};
use captioner::quant::{dynamic, quantize, FloatType, Scales, Scheme};
use captioner::runtime;
use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use half::f16;

/// Rows, inputs and outputs of the linears of DaViT-base at 768 x 768, and how many there are of each.
const VISION: [(&str, usize, usize, usize, usize); 16] = [
    ("stage1-qkv", 36864, 128, 384, 2),
    ("stage1-proj", 36864, 128, 128, 2),
    ("stage1-fc1", 36864, 128, 512, 2),
    ("stage1-fc2", 36864, 512, 128, 2),
    ("stage2-qkv", 9216, 256, 768, 2),
    ("stage2-proj", 9216, 256, 256, 2),
    ("stage2-fc1", 9216, 256, 1024, 2),
    ("stage2-fc2", 9216, 1024, 256, 2),
    ("stage3-qkv", 2304, 512, 1536, 18),
    ("stage3-proj", 2304, 512, 512, 18),
    ("stage3-fc1", 2304, 512, 2048, 18),
    ("stage3-fc2", 2304, 2048, 512, 18),
    ("stage4-qkv", 576, 1024, 3072, 2),
    ("stage4-proj", 576, 1024, 1024, 2),
    ("stage4-fc1", 576, 1024, 4096, 2),
    ("stage4-fc2", 576, 4096, 1024, 2),
];

/// The same of a decoder's step with three beams.
const DECODER: [(&str, usize, usize, usize, usize); 4] =
    [("attention", 3, 768, 768, 36), ("fc1", 3, 768, 3072, 6), ("fc2", 3, 3072, 768, 6), ("lm-head", 3, 768, 51289, 1)];

/// Numbers between -1 and 1 that look like noise.
fn noise(len: usize) -> Vec<f32> {
    let mut state = 0x9E37_79B9u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / (1u32 << 31) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn nf4(rows: usize, cols: usize) -> Matrix {
    let (scheme, _, codes, scales) = quantize(&noise(rows * cols), Scheme::NF4).expect("finite").into_parts();
    let Scales::Double { q, absmax2, offset } = scales else { unreachable!("NF4 has double scales") };
    let bytes = |values: &[f32]| Buffer::owned(values.iter().flat_map(|v| v.to_le_bytes()).collect());
    let (q, absmax2, map) = (Buffer::owned(q), bytes(&absmax2), bytes(dynamic::map()));
    let scales = BlockScales::Double { q, absmax2, offset, map };
    Matrix::new(rows, cols, Storage::Blocks { scheme, codes: Buffer::owned(codes), scales }).expect("lengths fit")
}

fn half(rows: usize, cols: usize) -> Matrix {
    let bytes = noise(rows * cols).iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
    Matrix::new(rows, cols, Storage::Float(FloatType::F16, Buffer::owned(bytes))).expect("lengths fit")
}

/// How a weight is stored, and how products with it are computed.
type Case = (&'static str, fn(usize, usize) -> Matrix, Compute);

const CASES: [Case; 3] =
    [("nf4", nf4, Compute::Fast), ("f16", half, Compute::Exact), ("f16-bf16", half, Compute::Bf16)];

fn products(criterion: &mut Criterion) {
    let threads = std::env::var("MEME_CAPTIONER_THREADS").ok().and_then(|threads| threads.parse().ok());
    runtime::set_threads(threads.unwrap_or(0));
    let pool = runtime::pool().expect("threads can be started");
    for (part, shapes) in [("vision", VISION.as_slice()), ("decoder", &DECODER)] {
        for (case, weight, compute) in CASES {
            let mut group = criterion.benchmark_group(format!("{part}/{case}"));
            group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
            for (name, m, k, n, _) in shapes {
                let (weight, bias) = (weight(*n, *k).computing(compute), noise(*n));
                let (x, mut out) = (noise(m * k), vec![0.0; m * n]);
                group.throughput(Throughput::Elements(2 * (m * k * n) as u64));
                group.bench_function(BenchmarkId::new(*name, format!("{m}x{k}x{n}")), |bencher| {
                    let mut product = || matmul(&x, &weight, Some(&bias), Epilogue::Store, &mut out);
                    bencher.iter(|| pool.install(&mut product));
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, ceiling::ceilings, products);
criterion_main!(benches);

//! Products with weights and attention in the models' shapes, beside the machine's ceilings measured in the same run:
//! `cargo bench -p captioner --bench kernels`, or with a filter, `... -- vision/nf4`, `... -- ceiling|attention`. Throughput is operations a second, two
//! for each multiplication and addition. Every product runs on all threads of the pool, unpacking and rounding included.
//! `MEME_CAPTIONER_THREADS` and `MEME_CAPTIONER_KERNELS` choose threads and instructions.

mod attention;
mod ceiling;

use std::time::Duration;

use captioner::kernels::{matmul, ActivationScales, BlockScales, Buffer, Compute, Epilogue, Matrix, Storage};
use captioner::quant::{dynamic, quantize, FloatType, Scales, Scheme};
use captioner::runtime;
use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use half::{bf16, f16};

/// A linear's name, its rows, inputs and outputs, and how many there are.
type Shape = (&'static str, usize, usize, usize, usize);

/// The linears of a DaViT tower in four stages at 768 x 768.
const VISION: [Shape; 16] = [
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

/// Linears of a SigLIP tower for a tile of 512 x 512 (and of the connector behind it), and of a decoder of 576 channels for a
/// prompt of 17 tiles.
const SIGLIP: [Shape; 7] = [
    ("qkv-out", 1024, 768, 768, 48),
    ("fc1", 1024, 768, 3072, 12),
    ("fc2", 1024, 3072, 768, 12),
    ("connector", 64, 12288, 576, 1),
    ("prompt-q-o", 1141, 576, 576, 60),
    ("prompt-gate-up", 1141, 576, 1536, 60),
    ("prompt-down", 1141, 1536, 576, 30),
];

/// The same of a decoder's step.
const LLAMA: [Shape; 4] = [
    ("q-o", 1, 576, 576, 60),
    ("gate-up", 1, 576, 1536, 60),
    ("down", 1, 1536, 576, 30),
    ("lm-head", 1, 576, 49280, 1),
];

/// The same of a BART decoder of 768 channels with three beams.
const DECODER: [Shape; 4] =
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

fn int8(rows: usize, cols: usize) -> Matrix {
    let codes = noise(rows * cols).iter().map(|v| (v * 127.0) as i8 as u8).collect();
    let scales = noise(rows).iter().flat_map(|v| f16::from_f32(v.abs()).to_le_bytes()).collect();
    let scales = (FloatType::F16, Buffer::owned(scales));
    Matrix::new(rows, cols, Storage::Int8 { codes: Buffer::owned(codes), scales }).expect("lengths fit")
}

fn int8_blocks(rows: usize, cols: usize) -> Matrix {
    int8(rows, cols).scaling(ActivationScales::PerBlock)
}

fn bfloat(rows: usize, cols: usize) -> Matrix {
    let bytes = noise(rows * cols).iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect();
    Matrix::new(rows, cols, Storage::Float(FloatType::Bf16, Buffer::owned(bytes))).expect("lengths fit")
}

/// How a weight is stored, and how products with it are computed.
type Case = (&'static str, fn(usize, usize) -> Matrix, Compute);

const FOUR_BITS: [Case; 3] =
    [("nf4", nf4, Compute::Fast), ("f16", half, Compute::Exact), ("f16-bf16", half, Compute::Bf16)];

const EIGHT_BITS: [Case; 4] = [
    ("int8", int8, Compute::Fast),
    ("int8-blocks", int8_blocks, Compute::Fast),
    ("bf16", bfloat, Compute::Bf16),
    ("bf16-exact", bfloat, Compute::Exact),
];

/// A few rows read their activations in blocks always, and numbers as they are.
const EIGHT_BITS_STEP: [Case; 2] = [("int8", int8, Compute::Fast), ("bf16", bfloat, Compute::Fast)];

fn threads(_: &mut Criterion) {
    let threads = std::env::var("MEME_CAPTIONER_THREADS").ok().and_then(|threads| threads.parse().ok());
    runtime::set_threads(threads.unwrap_or(0));
}

fn products(criterion: &mut Criterion) {
    let pool = runtime::pool().expect("threads can be started");
    let parts: [(_, &[Shape], &[Case]); 4] = [
        ("vision", &VISION, &FOUR_BITS),
        ("decoder", &DECODER, &FOUR_BITS),
        ("siglip", &SIGLIP, &EIGHT_BITS),
        ("llama", &LLAMA, &EIGHT_BITS_STEP),
    ];
    for (part, shapes, cases) in parts {
        for (case, weight, compute) in cases {
            let mut group = criterion.benchmark_group(format!("{part}/{case}"));
            group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
            for (name, m, k, n, _) in shapes {
                let (weight, bias) = (weight(*n, *k).computing(*compute), noise(*n));
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

criterion_group!(benches, threads, ceiling::ceilings, attention::attention, products);
criterion_main!(benches);

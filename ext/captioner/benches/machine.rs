//! What the kernels are up against beside the ceilings of `benches/kernels.rs`: `cargo bench -p captioner --bench machine`
//! prints how fast all threads together read memory, and candle's own f32 matmul on the linear layers of a DaViT
//! tower in four stages. An operation is a multiplication or an addition.

use std::hint::black_box;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};

/// Memory is read so often for so long; the best run counts, as anything else on the machine can only slow it down.
const RUNS: usize = 12;
const SPAN: Duration = Duration::from_millis(50);
/// Rows, channels and blocks of each stage of the base tower at 768x768.
const STAGES: [(usize, usize, usize); 4] = [(36_864, 128, 1), (9_216, 256, 1), (2_304, 512, 9), (576, 1_024, 1)];

fn main() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!("memory, read by {threads} threads: {:.1} GiB/s", on_all(threads) / f64::from(1 << 30));
    let (seconds, operations) = candle();
    println!("candle, f32, the tower's linears: {seconds:.3} s, {:.0} GFLOP/s", operations / seconds / 1e9);
}

/// Bytes in a second of `threads` threads.
fn on_all(threads: usize) -> f64 {
    let one = || {
        // Far more than any cache holds.
        let pages = vec![1u64; (256 << 20) / size_of::<u64>()];
        let run = |_| {
            let (started, mut passes) = (Instant::now(), 0);
            while started.elapsed() < SPAN {
                read(&pages);
                passes += 1;
            }
            (passes * size_of_val(pages.as_slice())) as f64 / started.elapsed().as_secs_f64()
        };
        (0..RUNS).map(run).fold(0.0, f64::max)
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|thread| thread.join().expect("reading does not panic")).sum()
    })
}

fn read(pages: &[u64]) {
    let mut sums = [0u64; 32];
    for block in black_box(pages).chunks_exact(32) {
        for (sum, value) in sums.iter_mut().zip(block) {
            *sum ^= value;
        }
    }
    black_box(sums);
}

/// Seconds and operations of four linear layers in each half of a block, each the best of three.
fn candle() -> (f64, f64) {
    let ones = |rows, cols| Tensor::ones((rows, cols), DType::F32, &Device::Cpu).expect("fits into memory");
    let (mut seconds, mut operations) = (0.0, 0.0);
    for (rows, channels, blocks) in STAGES {
        for (k, n) in
            [(channels, 3 * channels), (channels, channels), (channels, 4 * channels), (4 * channels, channels)]
        {
            let (x, w) = (ones(rows, k), ones(n, k).t().expect("a matrix"));
            let times = (0..3).map(|_| {
                let started = Instant::now();
                black_box(x.matmul(&w).expect("shapes fit"));
                started.elapsed().as_secs_f64()
            });
            let halves = (2 * blocks) as f64;
            seconds += halves * times.fold(f64::INFINITY, f64::min);
            operations += halves * 2.0 * (rows * k * n) as f64;
        }
    }
    (seconds, operations)
}

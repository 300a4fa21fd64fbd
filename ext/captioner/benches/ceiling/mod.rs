//! What the processor can do at best: multiply-adds among registers alone, on all threads of the pool.

use std::time::Duration;

use captioner::runtime;
use criterion::{Criterion, Throughput};

/// Instructions of a run on each thread.
const RUN: u64 = 1 << 22;

/// `f32`, bf16 and int8 multiply-adds, as far as the processor has AVX-512 instructions for them.
pub fn ceilings(criterion: &mut Criterion) {
    let pool = runtime::pool().expect("threads can be started");
    let mut group = criterion.benchmark_group("ceiling");
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    for (name, operations, run) in kernels() {
        group.throughput(Throughput::Elements(RUN * operations * pool.current_num_threads() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| pool.broadcast(|_| run())));
    }
    group.finish();
}

/// Name, operations of one instruction, and a function that executes [`RUN`] of them.
type Kernel = (&'static str, u64, fn() -> i32);

#[cfg(not(target_arch = "x86_64"))]
fn kernels() -> Vec<Kernel> {
    Vec::new()
}

#[cfg(target_arch = "x86_64")]
fn kernels() -> Vec<Kernel> {
    use std::arch::is_x86_feature_detected as has;
    let mut kernels: Vec<Kernel> = Vec::new();
    // SAFETY: each is only listed where the processor has its instructions.
    if has!("avx512f") {
        kernels.push(("f32", 32, || unsafe { x86::f32s() }));
    }
    if has!("avx512bf16") {
        kernels.push(("bf16", 64, || unsafe { x86::bf16s() }));
    }
    if has!("avx512vnni") {
        kernels.push(("int8", 128, || unsafe { x86::int8s() }));
    }
    kernels
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// Sixteen independent sums, so that no instruction waits for another.
    macro_rules! kernel {
        ($name:ident, $features:literal, $zero:expr, $step:expr, $end:expr) => {
            #[target_feature(enable = $features)]
            pub unsafe fn $name() -> i32 {
                let mut sums = [$zero; 16];
                let operand = black_box(_mm512_setzero_si512());
                for _ in 0..super::RUN / 16 {
                    for sum in &mut sums {
                        *sum = $step(*sum, operand);
                    }
                }
                sums.into_iter().map($end).sum()
            }
        };
    }

    kernel!(
        f32s,
        "avx512f",
        _mm512_setzero_ps(),
        |sum, a| _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(a), sum),
        |sum| _mm512_reduce_add_ps(sum) as i32
    );
    kernel!(
        bf16s,
        "avx512f,avx512bf16",
        _mm512_setzero_ps(),
        |sum, a: __m512i| {
            let a = std::mem::transmute::<__m512i, __m512bh>(a);
            _mm512_dpbf16_ps(sum, a, a)
        },
        |sum| _mm512_reduce_add_ps(sum) as i32
    );
    kernel!(int8s, "avx512f,avx512vnni", _mm512_setzero_si512(), |sum, a| _mm512_dpbusd_epi32(sum, a, a), |sum| {
        _mm512_reduce_add_epi32(sum)
    });
}

//! How long the stacks that families share take, on random weights: `stack_times [PART] [STORAGE] [COMPUTE] [RUNS] [SCALES]`. PART is
//! `decoder` (576 wide, 30 layers), `large-decoder` (2048 wide, 24 layers), `tower` (768 wide, 12 layers, 1024 tokens) or
//! `large-tower` (1152 wide, 27 layers, 729 tokens); STORAGE is `int8`, `nf4` or `bf16`; COMPUTE is `fast`, `bf16` or `exact`; SCALES of int8 inputs are by `row` or by
//! `block`.
//! `MEME_CAPTIONER_THREADS` chooses threads. Prints the least wall and processor time of RUNS (5).

use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use captioner::blocks::{CausalConfig, CausalDecoder, CausalNames, MlpNames, NormKind, Vit, VitConfig, VitNames};
use captioner::kernels::{ActivationScales, BlockScales, Buffer, Compute, Matrix, Storage};
use captioner::nn::{Activation, HeadShape, Linear, QkvNames};
use captioner::quant::{quantize, Codebook, FloatType, Scales, Scheme};
use captioner::weights::{Scope, Source};
use captioner::{runtime, Result};

fn noise(len: usize) -> Vec<f32> {
    let mut state = 0x9E37_79B9u32 ^ len as u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / (1u32 << 31) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Random weights of any shape.
struct Random(String);

impl Source for Random {
    fn contains(&self, _name: &str) -> bool {
        true
    }

    fn matrix(&self, name: &str, shape: &[usize]) -> Result<Matrix> {
        let (rows, cols) = (shape[0], shape[1]);
        let storage = match self.0.as_str() {
            "int8" if !name.contains("lm_head") => {
                let codes = noise(rows * cols).iter().map(|v| (v * 127.0) as i8 as u8).collect();
                let scale = (3.0 / cols as f32).sqrt();
                let scales = (0..rows).flat_map(|_| scale.to_le_bytes()).collect();
                Storage::Int8 { codes: Buffer::owned(codes), scales: (FloatType::F32, Buffer::owned(scales)) }
            }
            "nf4" if !name.contains("lm_head") => {
                let scheme = Scheme::new(Codebook::Nf4, 64, false)?;
                let values: Vec<f32> = noise(rows * cols).iter().map(|v| v * (3.0 / cols as f32).sqrt()).collect();
                let (_, _, codes, scales) = quantize(&values, scheme)?.into_parts();
                let Scales::Plain(scales) = scales else { unreachable!("not asked for") };
                let scales = Buffer::owned(scales.iter().flat_map(|v| v.to_le_bytes()).collect());
                let scales = BlockScales::Plain(FloatType::F32, scales);
                Storage::Blocks { scheme, codes: Buffer::owned(codes), scales }
            }
            _ => {
                let scale = (3.0 / cols as f32).sqrt();
                let values = noise(rows * cols).into_iter().flat_map(|v| half::bf16::from_f32(v * scale).to_le_bytes());
                Storage::Float(FloatType::Bf16, Buffer::owned(values.collect()))
            }
        };
        Matrix::new(rows, cols, storage)
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let values = noise(shape.iter().product());
        Ok(if name.ends_with("bias") { values.iter().map(|v| v / 9.0).collect() } else { vec![1.0; values.len()] })
    }

    fn buffers(&self) -> Vec<Buffer> {
        Vec::new()
    }
}

fn processor_time() -> Duration {
    let mut usage = std::mem::MaybeUninit::zeroed();
    // SAFETY: the structure is there to be filled.
    let usage: libc::rusage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let of = |time: libc::timeval| Duration::new(time.tv_sec as u64, 1000 * time.tv_usec as u32);
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// The least wall time and the least processor time of some runs of what `prepare` prepares.
fn least<T>(runs: usize, mut prepare: impl FnMut() -> Result<T>, run: impl Fn(T) -> Result<()>) -> Result<(f64, f64)> {
    let mut least = (f64::INFINITY, f64::INFINITY);
    for _ in 0..runs {
        let input = prepare()?;
        let (wall, processor) = (Instant::now(), processor_time());
        run(input)?;
        least.1 = least.1.min((processor_time() - processor).as_secs_f64());
        least.0 = least.0.min(wall.elapsed().as_secs_f64());
    }
    Ok(least)
}

fn tensor(rows: usize, channels: usize) -> Result<Tensor> {
    Ok(Tensor::from_vec(noise(rows * channels), (rows, channels), &Device::Cpu)?)
}

fn tower(large: bool, scope: Scope, runs: usize) -> Result<()> {
    let (hidden, heads, layers, mlp_hidden, tokens) =
        if large { (1152, 16, 27, 4304, 729) } else { (768, 12, 12, 3072, 1024) };
    let names = VitNames {
        layers: "layers",
        attention_norm: "ln1",
        qkv: if large { QkvNames::Fused("qkv") } else { QkvNames::Separate(["q", "k", "v"]) },
        attention_out: "out",
        mlp_norm: "ln2",
        mlp: ["fc1", "fc2"],
        final_norm: "norm",
    };
    let config = VitConfig { hidden, heads, layers, mlp_hidden, eps: 1e-6, activation: Activation::GeluTanh, names };
    let tower = Vit::load(&config, scope)?;
    for images in [1, 4] {
        let (wall, processor) = least(
            runs,
            || tensor(images * tokens, hidden),
            |x| (0..layers).try_for_each(|layer| tower.layer(layer, &x, tokens)),
        )?;
        let linears = 2.0 * (tokens * layers * (4 * hidden * hidden + 2 * hidden * mlp_hidden)) as f64;
        let flop = images as f64 * (linears + 4.0 * (tokens * tokens * hidden * layers) as f64);
        let (wall_each, processor_each) = (wall / images as f64, processor / images as f64);
        println!(
            "{images} images: {wall_each:.4} s each, {processor_each:.4} s of processors, {:.0} GFLOP/s",
            flop / wall / 1e9
        );
    }
    Ok(())
}

fn decoder(large: bool, scope: Scope, runs: usize) -> Result<()> {
    let (hidden, layers, heads, mlp_hidden, prompt, prefix, vocabulary) = if large {
        (2048, 24, HeadShape { heads: 32, kv_heads: 32, dim: 64 }, 8192, 735, 730, 51200)
    } else {
        (576, 30, HeadShape { heads: 9, kv_heads: 3, dim: 64 }, 1536, 1141, 0, 49280)
    };
    let names = CausalNames {
        layers: "layers",
        attention_norm: "ln",
        qkv: if large { QkvNames::Fused("qkv") } else { QkvNames::Separate(["q", "k", "v"]) },
        attention_out: "out",
        mlp_norm: (!large).then_some("ln2"),
        mlp: match large {
            true => MlpNames::Plain(["fc1", "fc2"], Activation::GeluTanh),
            false => MlpNames::Gated(["gate", "up", "down"]),
        },
        final_norm: "norm",
    };
    let config = CausalConfig {
        hidden,
        layers,
        heads,
        mlp_hidden,
        norm: if large { NormKind::Layer } else { NormKind::Rms },
        eps: 1e-5,
        rope_theta: 10_000.0,
        rotary_dim: if large { 32 } else { 64 },
        bias: large,
        names,
    };
    let head = Linear::load(hidden, vocabulary, false, scope.pp("lm_head"))?;
    let decoder = CausalDecoder::load(&config, scope)?;
    let prefill = |x: Tensor| {
        let mut prefill = decoder.start(x, prefix)?;
        (0..layers).try_for_each(|_| decoder.layer(&mut prefill))?;
        Ok::<_, captioner::Error>(prefill)
    };
    let (wall, processor) = least(runs, || tensor(prompt, hidden), |x| prefill(x).map(drop))?;
    println!("prefill of {prompt}: {wall:.4} s, {processor:.4} s of processors");
    for beams in [1, 3] {
        let (_, mut state) = decoder.finish(&prefill(tensor(prompt, hidden)?)?)?;
        if beams > 1 {
            decoder.step(&tensor(1, hidden)?, &mut state)?;
            state.reorder(&vec![0; beams]);
        }
        for (what, with_head) in [("step", false), ("step and head", true)] {
            let mut state = state.clone();
            let mut walls = (f64::INFINITY, f64::INFINITY);
            for _ in 0..20 * runs {
                let x = tensor(beams, hidden)?;
                let (wall, processor) = (Instant::now(), processor_time());
                runtime::together(|| {
                    let x = decoder.step(&x, &mut state)?;
                    if with_head {
                        head.forward(&x)?;
                    }
                    Ok::<_, captioner::Error>(())
                })?;
                walls.1 = walls.1.min((processor_time() - processor).as_secs_f64());
                walls.0 = walls.0.min(wall.elapsed().as_secs_f64());
            }
            println!("{what}, {beams} beams: {:.2} ms, {:.2} ms of processors", walls.0 * 1e3, walls.1 * 1e3);
        }
    }
    Ok(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize, default: &str| arguments.get(at).cloned().unwrap_or(default.into());
    let threads = std::env::var("MEME_CAPTIONER_THREADS").ok().and_then(|threads| threads.parse().ok());
    runtime::set_threads(threads.unwrap_or(0));
    let run = || {
        let (part, source) = (argument(0, "decoder"), Random(argument(1, "int8")));
        let scope = Scope::root(&source, argument(2, "fast").parse::<Compute>()?);
        let scope = match argument(4, "row").as_str() {
            "block" => scope.scaling(ActivationScales::PerBlock),
            _ => scope,
        };
        let runs = argument(3, "5").parse().unwrap_or(5);
        match part.as_str() {
            "tower" | "large-tower" => tower(part.starts_with("large"), scope, runs),
            _ => decoder(part.starts_with("large"), scope, runs),
        }
    };
    if let Err(error) = runtime::pool().and_then(|pool| pool.install(run)) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

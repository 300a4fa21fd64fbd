//! Captions one image and writes every stage to a safetensors file, for comparison with the reference
//! (`research/reference/compare.py`): `dump_stages MODEL IMAGE OUT.safetensors [MAX_NEW_TOKENS] [TASK] [COMPUTE]`. COMPUTE is
//! exact unless given.
//! The file's metadata says how long each part took and the peak of resident memory.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Instant;

use captioner::captioner::Run;
use captioner::image::{load_path, Limits};
use captioner::kernels::Compute;
use captioner::models::{self, Phase, Request};
use captioner::nn::with_values;
use captioner::{runtime, Result};
use safetensors::tensor::TensorView;
use safetensors::Dtype;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, image, out, rest @ ..] = arguments.as_slice() else {
        eprintln!("dump_stages MODEL IMAGE OUT.safetensors [MAX_NEW_TOKENS] [TASK] [COMPUTE]");
        std::process::exit(2);
    };
    let run = || dump(Path::new(model), Path::new(image), Path::new(out), rest);
    if let Err(error) = runtime::pool().and_then(|pool| pool.install(run)) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn dump(model: &Path, image: &Path, out: &Path, rest: &[String]) -> Result<()> {
    let request = Request {
        max_new_tokens: rest.first().and_then(|n| n.parse().ok()),
        task: rest.get(1).cloned(),
        ..Request::default()
    };
    let compute = rest.get(2).map_or(Ok(Compute::Exact), |name| name.parse())?;
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    let mut seconds: BTreeMap<&str, f64> = BTreeMap::new();

    let started = Instant::now();
    let model = models::load(model, true, compute)?;
    seconds.insert("load", started.elapsed().as_secs_f64());

    let started = Instant::now();
    let mut run = Run::new(&model, load_path(image, &Limits::default())?, &request)?;
    seconds.insert("image", started.elapsed().as_secs_f64());

    let mut steps = 0;
    while !run.is_done() {
        let started = Instant::now();
        let phase = run.step()?.phase;
        *seconds.entry(phase.name()).or_default() += started.elapsed().as_secs_f64();
        steps += usize::from(phase == Phase::Decoder);
        if let (Some((name, values)), true) = (run.tap(), steps < 2) {
            let mut shape = values.dims().to_vec();
            if phase != Phase::Decoder {
                shape.insert(0, 1);
            }
            tensors.push((name, Dtype::F32, shape, with_values(values, floats)?));
        }
    }
    let ids: Vec<u8> = run.tokens().iter().flat_map(|id| i64::from(*id).to_le_bytes()).collect();
    tensors.push(("ids".into(), Dtype::I64, vec![ids.len() / 8], ids));

    let mut metadata: HashMap<String, String> =
        seconds.iter().map(|(part, time)| (format!("seconds.{part}"), format!("{time:.4}"))).collect();
    metadata.insert("steps".into(), steps.to_string());
    metadata.insert("threads".into(), runtime::threads().to_string());
    metadata.insert("peak_rss_bytes".into(), peak_rss().to_string());
    metadata.insert("text".into(), model.text(run.tokens()));
    println!("{}", serde_json::to_string_pretty(&metadata).unwrap_or_default());
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).expect("shape and bytes were made together"))
    });
    safetensors::serialize_to_file(views, Some(metadata), out).expect("the output can be written");
    Ok(())
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The high-water mark of resident memory, in bytes; 0 where the system does not tell.
fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}

//! Captions one image and writes every stage to a safetensors file, for comparison with the reference
//! (`research/reference/compare.py`): `dump_stages MODEL IMAGE OUT.safetensors [MAX_NEW_TOKENS] [TASK] [COMPUTE]`. COMPUTE is
//! exact unless given.
//! The file's metadata says how long each part took and the peak of resident memory.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use captioner::image::{load_path, Limits};
use captioner::kernels::Compute;
use captioner::models::florence2::{Florence2, Options, Reached, Stage};
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
    let mut options = Options { max_new_tokens: rest.first().and_then(|n| n.parse().ok()), ..Options::default() };
    if let Some(task) = rest.get(1) {
        options.task = task.parse()?;
    }
    let compute = rest.get(2).map_or(Ok(Compute::Exact), |name| name.parse())?;
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    let mut seconds: Vec<(&str, f64)> = Vec::new();

    let started = Instant::now();
    let model = Florence2::load(model, true, compute)?;
    seconds.push(("load", started.elapsed().as_secs_f64()));

    let started = Instant::now();
    let picture = load_path(image, &Limits::default())?;
    let values = model.processor().pixel_values(&picture)?;
    let (height, width) = model.processor().size();
    tensors.push(("pixel_values".into(), Dtype::F32, vec![1, 3, height, width], floats(&values)));
    let mut run = model.start(&picture, &options)?;
    seconds.push(("image", started.elapsed().as_secs_f64()));

    let (mut part, mut started, mut steps) = ("vision", Instant::now(), 0);
    loop {
        let stage = model.step(&mut run)?;
        let name = match stage {
            Stage::Vision(Reached::Embedding(stage)) => format!("patch_embed.{stage}"),
            Stage::Vision(Reached::Stage(stage) | Reached::End(stage)) => format!("stage.{stage}"),
            Stage::ImageFeatures => "image_features".into(),
            Stage::Encoder => "encoder".into(),
            Stage::Token | Stage::Done => "logits".into(),
            _ => continue,
        };
        if name != "logits" || steps == 0 {
            let mut shape = run.output().dims().to_vec();
            if name != "logits" {
                shape.insert(0, 1);
            }
            tensors.push((name.clone(), Dtype::F32, shape, with_values(run.output(), floats)?));
        }
        steps += usize::from(matches!(stage, Stage::Token | Stage::Done));
        let next = match name.as_str() {
            "image_features" => "encoder",
            "encoder" => "decoder",
            _ => part,
        };
        if next != part || stage == Stage::Done {
            seconds.push((part, started.elapsed().as_secs_f64()));
            (part, started) = (next, Instant::now());
        }
        if stage == Stage::Done {
            break;
        }
    }
    let ids: Vec<u8> = run.tokens()[1..].iter().flat_map(|id| i64::from(*id).to_le_bytes()).collect();
    tensors.push(("ids".into(), Dtype::I64, vec![ids.len() / 8], ids));

    let mut metadata: HashMap<String, String> =
        seconds.iter().map(|(part, time)| (format!("seconds.{part}"), format!("{time:.4}"))).collect();
    metadata.insert("steps".into(), steps.to_string());
    metadata.insert("threads".into(), runtime::threads().to_string());
    metadata.insert("peak_rss_bytes".into(), peak_rss().to_string());
    metadata.insert("text".into(), model.text(&run));
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

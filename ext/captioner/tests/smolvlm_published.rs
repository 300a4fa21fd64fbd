//! SmolVLM against values that transformers gave for a small checkpoint with the real tokenizer and processor. They lie beside
//! the repository and are not part of it; without them these tests say so and pass.

mod golden_support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use captioner::captioner::Run;
use captioner::image::{load_path, Limits};
use captioner::kernels::Compute;
use captioner::models::{self, Model, Request};
use captioner::nn::with_values;
use captioner::{runtime, store};
use golden_support::{relative_error, stored};
use safetensors::SafeTensors;
use serde_json::Value;

fn beside() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let found = folder.join("goldens/smolvlm").is_dir();
    if !found {
        eprintln!("skipped: there are no values at {}", folder.display());
    }
    found.then_some(folder)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The checkpoint in a folder of its own.
fn checkpoint(beside: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["tokenizer.json", "generation_config.json"] {
        std::fs::copy(beside.join("smolvlm-256m").join(file), folder.path().join(file)).unwrap();
    }
    let own = beside.join("goldens/smolvlm/micro");
    for file in ["config.json", "preprocessor_config.json", "processor_config.json"] {
        std::fs::copy(own.join(file), folder.path().join(file)).unwrap();
    }
    let weights = Command::new("gzip").arg("-dc").arg(own.join("model.safetensors.gz")).output().unwrap();
    assert!(weights.status.success());
    std::fs::write(folder.path().join("model.safetensors"), weights.stdout).unwrap();
    folder
}

fn run(model: &Arc<dyn Model>, image: &Path) -> Run {
    let image = load_path(image, &Limits::default()).unwrap();
    Run::new(model, image, &Request { max_new_tokens: Some(40), ..Request::default() }).unwrap()
}

#[test]
fn token_ids_and_answers_are_the_published_ones() {
    let Some(beside) = beside() else { return };
    let folder = checkpoint(&beside);
    let model = models::load(folder.path(), true, Compute::Exact).unwrap();
    for case in lines(&beside.join("goldens/smolvlm/captions.jsonl")) {
        let mut run = run(&model, &beside.join("goldens").join(case["image"].as_str().unwrap()));
        while !run.is_done() {
            run.step().unwrap();
        }
        let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        assert_eq!(run.tokens(), ids, "{}", case["image"]);
        assert_eq!(model.text(run.tokens()), case["plain"].as_str().unwrap(), "{}", case["image"]);
    }
}

#[test]
fn int8_by_the_rule_of_bitsandbytes_gives_the_published_ids() {
    let Some(beside) = beside() else { return };
    let (folder, packs) = (checkpoint(&beside), tempfile::tempdir().unwrap());
    let packed = store::packed(
        folder.path(),
        packs.path(),
        "micro",
        Some("published"),
        "linears",
        runtime::pool().unwrap(),
        &|| false,
    )
    .unwrap();
    let model = models::load(&packed.path, true, Compute::Exact).unwrap();
    for case in lines(&beside.join("goldens/smolvlm/captions-int8.jsonl")) {
        let mut run = run(&model, &beside.join("goldens").join(case["image"].as_str().unwrap()));
        while !run.is_done() {
            run.step().unwrap();
        }
        let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        assert_eq!(run.tokens(), ids, "{}", case["image"]);
    }
}

#[test]
fn stages_are_close_to_the_published_ones() {
    let Some(beside) = beside() else { return };
    let folder = checkpoint(&beside);
    let model = models::load(folder.path(), true, Compute::Exact).unwrap();
    let bytes = std::fs::read(beside.join("goldens/smolvlm/stages.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut worst = 0f64;
    for (index, case) in lines(&beside.join("goldens/smolvlm/stages.jsonl")).into_iter().enumerate() {
        let (mut vision, mut connector, mut logits) = (Vec::new(), Vec::new(), Vec::new());
        let mut run = run(&model, &beside.join("goldens").join(case["image"].as_str().unwrap()));
        while logits.is_empty() {
            run.step().unwrap();
            let Some((name, values)) = run.tap() else { continue };
            let hidden = values.dims2().unwrap().1;
            let values = with_values(values, <[f32]>::to_vec).unwrap();
            match name.split('.').next().unwrap() {
                "vision" => vision.extend(values.chunks(hidden).step_by(37).flatten()),
                "connector" => connector.extend(values),
                _ => logits.extend(values.into_iter().step_by(7)),
            }
        }
        for (name, ours) in [("vision", vision), ("connector", connector), ("logits", logits)] {
            let error = relative_error(&ours, &stored(&tensors, &format!("{index}.{name}")));
            assert!(error <= 1e-4, "{}: {name} is off by {error:.2e}", case["image"]);
            worst = worst.max(error);
        }
    }
    println!("worst relative error {worst:.2e}");
}

//! The golden cases, and the seeded checkpoints that they were made with.
// Each test file uses a part of this.
#![allow(dead_code, unused_imports)]

#[path = "../golden_support/mod.rs"]
mod golden_support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use captioner::captioner::Run;
use captioner::kernels::Compute;
use captioner::models::{self, Model, Request};
use captioner::{runtime, Result};
pub use golden_support::until_first_logits;
use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub struct Cases {
    sampling: Sampling,
    pub checkpoints: BTreeMap<String, Checkpoint>,
    pub cases: Vec<Case>,
    pub decoding: Vec<Decoded>,
    #[serde(skip)]
    folder: Option<tempfile::TempDir>,
    #[serde(skip)]
    goldens: Vec<u8>,
}

#[derive(Deserialize)]
struct Sampling {
    #[serde(flatten)]
    stored: golden_support::Sampling,
    max_new_tokens: usize,
}

#[derive(Deserialize)]
pub struct Checkpoint {
    pub seed: u64,
    pub sha256: String,
    pub config: Value,
}

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    pub checkpoint: String,
    /// `f16` or `int8`.
    pub weights: String,
    pub width: u32,
    pub height: u32,
    task: String,
    prompt: Option<String>,
    pub prompt_ids: Vec<u32>,
    pub ids: Vec<u32>,
    pub text: String,
}

#[derive(Deserialize)]
pub struct Decoded {
    pub ids: Vec<u32>,
    pub text: String,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/moondream2")
}

impl Cases {
    /// Reads the index and makes every checkpoint in a temporary folder.
    pub fn read() -> Self {
        let mut cases: Self = serde_json::from_slice(&std::fs::read(fixtures().join("cases.json")).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (name, checkpoint) in &cases.checkpoints {
            checkpoint.write(&folder.path().join(name));
        }
        cases.folder = Some(folder);
        cases.goldens = std::fs::read(fixtures().join("goldens.safetensors")).unwrap();
        cases
    }

    /// The folder of a checkpoint.
    pub fn folder(&self, checkpoint: &str) -> PathBuf {
        self.folder.as_ref().unwrap().path().join(checkpoint)
    }

    /// The case's model, computed exactly: the folder itself, or packed as LLM.int8() would convert it.
    pub fn model(&self, case: &Case) -> Arc<dyn Model> {
        let folder = self.folder(&case.checkpoint);
        match case.weights.as_str() {
            "f16" => models::load(&folder, true, Compute::Exact).unwrap(),
            _ => models::load(&self.packed(&case.checkpoint, "linears").unwrap(), true, Compute::Exact).unwrap(),
        }
    }

    /// A checkpoint packed by a recipe.
    pub fn packed(&self, checkpoint: &str, recipe: &str) -> Result<PathBuf> {
        let folder = self.folder(checkpoint);
        let out = folder.with_extension(recipe);
        if !out.exists() {
            let recipe = models::family(&folder)?.recipe(recipe)?;
            models::pack(&folder, &recipe, "test", &out, runtime::pool().unwrap(), &|| false)?;
        }
        Ok(out)
    }

    /// ‖ours - reference‖₂ / ‖reference‖₂ over the stored values of a stage.
    pub fn relative_error(&self, case: &Case, stage: &str, ours: &[f32]) -> f64 {
        let tensors = SafeTensors::deserialize(&self.goldens).unwrap();
        self.sampling.stored.relative_error(&tensors, &format!("{}.{stage}", case.name), ours)
    }

    /// What the case asks.
    pub fn request(&self, case: &Case) -> Request {
        let task = if case.task == "short" { "<SHORT_CAPTION>" } else { "<CAPTION>" };
        Request {
            task: case.prompt.is_none().then(|| task.into()),
            prompt: case.prompt.clone(),
            max_new_tokens: Some(self.sampling.max_new_tokens),
            ..Request::default()
        }
    }

    /// Starts the case.
    pub fn start(&self, model: &Arc<dyn Model>, case: &Case) -> Run {
        Run::new(model, captioner_testing::picture(case.width, case.height), &self.request(case)).unwrap()
    }
}

impl Checkpoint {
    fn write(&self, dir: &Path) {
        captioner_testing::moondream2::write_checkpoint(&self.config, self.seed, dir).unwrap();
        std::fs::copy(fixtures().join("tokenizer.json"), dir.join("tokenizer.json")).unwrap();
    }
}

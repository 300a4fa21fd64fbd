//! The golden cases, and the seeded checkpoints that they were made with.
// Each test file uses a part of this.
#![allow(dead_code, unused_imports)]

#[path = "../golden_support/mod.rs"]
mod golden_support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use captioner::captioner::Run;
use captioner::generate::{EarlyStopping, Settings};
use captioner::image::{load_path, Limits, RgbImage};
use captioner::kernels::Compute;
use captioner::models::florence2::Florence2;
use captioner::models::{self, Model, Request};
use captioner_testing as seeded;
pub use golden_support::until_first_logits;
use golden_support::Sampling;
use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
pub struct Cases {
    sampling: Sampling,
    checkpoints: std::collections::BTreeMap<String, Checkpoint>,
    pub cases: Vec<Case>,
    #[serde(skip)]
    folder: Option<tempfile::TempDir>,
}

#[derive(Deserialize)]
struct Checkpoint {
    folder: PathBuf,
    tokenizer: PathBuf,
    layout: String,
    seed: u64,
    tied: Vec<String>,
    logits_bias: f64,
}

#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    checkpoint: String,
    image: PathBuf,
    pub task: String,
    overrides: Map<String, Value>,
    pub settings: Value,
    pub prompt_ids: Vec<u32>,
    pub ids: Vec<u32>,
    pub text: String,
    golden: PathBuf,
}

pub struct Golden(pub Vec<u8>);

impl Golden {
    pub fn names(&self) -> Vec<String> {
        self.tensors().names().into_iter().map(|name| name.to_string()).collect()
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).unwrap()
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/florence2")
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
        cases
    }

    /// The folder of a case's checkpoint.
    pub fn checkpoint(&self, case: &Case) -> PathBuf {
        self.folder.as_ref().unwrap().path().join(&case.checkpoint)
    }

    pub fn model(&self, case: &Case) -> Arc<dyn Model> {
        load(&self.checkpoint(case))
    }

    /// The model for those who know the family.
    pub fn florence2(&self, case: &Case) -> Florence2 {
        Florence2::load(&self.checkpoint(case), true, Compute::Exact).unwrap()
    }

    pub fn image_path(&self, case: &Case) -> PathBuf {
        fixtures().join(&case.image)
    }

    pub fn image(&self, case: &Case) -> RgbImage {
        load_path(&self.image_path(case), &Limits::default()).unwrap()
    }

    pub fn golden(&self, case: &Case) -> Golden {
        Golden(std::fs::read(fixtures().join(&case.golden)).unwrap())
    }
}

impl Checkpoint {
    fn write(&self, dir: &Path) {
        let own = fixtures().join(&self.folder);
        std::fs::create_dir_all(dir).unwrap();
        let config: Value = serde_json::from_slice(&std::fs::read(own.join("config.json")).unwrap()).unwrap();
        let options = seeded::Options {
            tied: self.tied.clone(),
            logits_bias: self.logits_bias,
            ..seeded::Options::new(self.layout.parse().unwrap(), self.seed)
        };
        seeded::write_checkpoint(&config, &options, dir).unwrap();
        std::fs::copy(fixtures().join(&self.tokenizer), dir.join("tokenizer.json")).unwrap();
        for file in std::fs::read_dir(own).unwrap().map(|file| file.unwrap()) {
            if file.file_name() != "model.safetensors" {
                std::fs::copy(file.path(), dir.join(file.file_name())).unwrap();
            }
        }
    }
}

impl Case {
    /// Starts the case; its overrides stand in for the checkpoint's own settings.
    pub fn start(&self, model: &Arc<dyn Model>, cases: &Cases) -> Run {
        let mut settings = model.settings().clone();
        let token = |value: &Value| value.as_u64().map(|id| id as u32);
        for (key, value) in &self.overrides {
            match key.as_str() {
                "num_beams" => settings.num_beams = value.as_u64().unwrap() as usize,
                "no_repeat_ngram_size" => settings.no_repeat_ngram_size = value.as_u64().unwrap() as usize,
                "length_penalty" => settings.length_penalty = value.as_f64().unwrap() as f32,
                "early_stopping" => settings.early_stopping = serde_json::from_value(value.clone()).unwrap(),
                "forced_bos_token_id" => settings.forced_bos_token_id = token(value),
                "forced_eos_token_id" => settings.forced_eos_token_id = token(value),
                "max_new_tokens" => {}
                other => panic!("{}: unknown override {other}", self.name),
            }
        }
        self.check_settings(&settings);
        let max_new_tokens = Some(self.settings["max_new_tokens"].as_u64().unwrap() as usize);
        let request = Request { task: Some(self.task.clone()), max_new_tokens, ..Request::default() };
        Run::with_settings(model, cases.image(self), &request, settings).unwrap()
    }

    /// What we read from the checkpoint's files is what the reference was given.
    fn check_settings(&self, ours: &Settings) {
        let theirs = |key: &str| &self.settings[key];
        let stopping: EarlyStopping = serde_json::from_value(theirs("early_stopping").clone()).unwrap();
        let id = |key: &str| theirs(key).as_u64().map(|id| id as u32);
        assert_eq!(ours.num_beams as u64, theirs("num_beams").as_u64().unwrap(), "{}", self.name);
        assert_eq!(ours.no_repeat_ngram_size as u64, theirs("no_repeat_ngram_size").as_u64().unwrap(), "{}", self.name);
        assert_eq!(f64::from(ours.length_penalty), theirs("length_penalty").as_f64().unwrap(), "{}", self.name);
        assert_eq!(ours.early_stopping, stopping, "{}", self.name);
        assert_eq!(ours.forced_bos_token_id, id("forced_bos_token_id"), "{}", self.name);
        assert_eq!(ours.forced_eos_token_id, id("forced_eos_token_id"), "{}", self.name);
        assert_eq!(ours.decoder_start_token_id, id("decoder_start_token_id"), "{}", self.name);
        assert_eq!(ours.eos_token_ids, id("eos_token_id").into_iter().collect::<Vec<_>>(), "{}", self.name);
    }
}

/// The model in a folder or a packed file, computing exactly.
pub fn load(path: &Path) -> Arc<dyn Model> {
    models::load(path, true, Compute::Exact).unwrap()
}

/// Runs to the end.
pub fn finish(run: &mut Run) {
    while !run.is_done() {
        run.step().unwrap();
    }
}

/// ‖ours - reference‖₂ / ‖reference‖₂ over the stored values.
pub fn relative_error(cases: &Cases, golden: &Golden, name: &str, ours: &[f32]) -> f64 {
    cases.sampling.relative_error(&golden.tensors(), name, ours)
}

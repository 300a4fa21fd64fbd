//! Small model folders of every family with one thing changed.
// Each test file uses a part of this.
#![allow(dead_code)]

pub mod packed;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use captioner::captioner::Run;
use captioner::image::RgbImage;
use captioner::kernels::Compute;
use captioner::models::{self, Model, Request};
use captioner::{runtime, Error, Result};
use captioner_testing as seeded;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{json, Value};

/// Every layout of every family.
pub const KINDS: [&str; 4] = ["florence2", "florence2-native", "smolvlm", "moondream2"];

/// Also for the targets of cargo-fuzz, whose package is a folder of this one.
fn fixtures(family: &str) -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = [own.join("tests/fixtures"), own.join("../tests/fixtures")];
    places.into_iter().find(|place| place.is_dir()).unwrap().join(family)
}

/// A folder with a model of this kind, with random weights.
pub fn folder(kind: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let copy = |from: PathBuf, name: &str| std::fs::copy(from, dir.join(name)).map(drop).unwrap();
    match kind {
        "smolvlm" => {
            let own = fixtures(kind).join("checkpoints/whole");
            for file in std::fs::read_dir(own).unwrap().map(|file| file.unwrap()) {
                copy(file.path(), file.file_name().to_str().unwrap());
            }
            copy(fixtures(kind).join("tokenizer.json"), "tokenizer.json");
        }
        "moondream2" => {
            let cases: Value = read(&fixtures(kind).join("cases.json"));
            seeded::moondream2::write_checkpoint(&cases["checkpoints"]["small"]["config"], 19, dir).unwrap();
            copy(fixtures(kind).join("tokenizer.json"), "tokenizer.json");
        }
        _ => florence2(kind, dir),
    }
    folder
}

fn florence2(kind: &str, dir: &Path) {
    let naming = if kind == "florence2" { "microsoft" } else { "native" };
    let mut config = json!({
        "model_type": "florence2", "projection_dim": 24, "vocab_size": 400, "tie_word_embeddings": true,
        "vision_config": {
            "dim_embed": [8, 24], "depths": [1, 1], "num_heads": [2, 3], "num_groups": [2, 3], "patch_size": [7, 3],
            "patch_stride": [4, 2], "patch_padding": [3, 1], "patch_prenorm": [false, true], "window_size": 3,
            "mlp_ratio": 2.0, "projection_dim": 24, "image_feature_source": ["spatial_avg_pool", "temporal_avg_pool"],
            "visual_temporal_embedding": {"type": "COSINE", "max_temporal_embeddings": 10},
            "image_pos_embed": {"type": "learned_abs_2d", "max_pos_embeddings": 5}
        },
        "text_config": {
            "vocab_size": 400, "d_model": 24, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 3,
            "decoder_attention_heads": 3, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
            "max_position_embeddings": 96, "scale_embedding": false, "bos_token_id": 0, "eos_token_id": 2,
            "pad_token_id": 1, "decoder_start_token_id": 2, "forced_bos_token_id": 0, "forced_eos_token_id": 2,
            "num_beams": 2, "early_stopping": true, "no_repeat_ngram_size": 3, "length_penalty": 1.0,
            "tie_word_embeddings": true
        }
    });
    if naming == "native" {
        let (native, generation) = seeded::native_config(&config);
        write(&dir.join("generation_config.json"), &generation);
        config = native;
    }
    let options = seeded::Options::new(naming.parse().unwrap(), 5);
    seeded::write_checkpoint(&config, &options, dir).unwrap();
    let processor = json!({
        "resample": 3, "rescale_factor": 0.00392156862745098, "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225], "size": {"height": 24, "width": 24}
    });
    write(&dir.join("preprocessor_config.json"), &processor);
    std::fs::copy(fixtures("florence2").join("tokenizer.json"), dir.join("tokenizer.json")).unwrap();
}

pub fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub fn write(path: &Path, value: &Value) {
    std::fs::write(path, value.to_string()).unwrap();
}

/// Puts `value` at the JSON pointer `place` of a file; the keys on the way must be there, but for the last.
pub fn change(dir: &Path, file: &str, place: &str, value: Value) {
    let path = dir.join(file);
    let mut json = read(&path);
    let (parent, key) = place.rsplit_once('/').unwrap();
    let parent = json.pointer_mut(parent).unwrap();
    match key.parse::<usize>() {
        Ok(index) if parent.is_array() => parent[index] = value,
        _ => parent[key] = value,
    }
    write(&path, &json);
}

/// Every place of a JSON value that is a number, as a pointer.
pub fn numbers(json: &Value, place: &str) -> Vec<String> {
    match json {
        Value::Number(_) => vec![place.to_string()],
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(i, item)| numbers(item, &format!("{place}/{i}"))).collect()
        }
        Value::Object(map) => map.iter().flat_map(|(key, item)| numbers(item, &format!("{place}/{key}"))).collect(),
        _ => Vec::new(),
    }
}

/// A tensor of a file: name, type, shape, bytes.
pub type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

/// Rewrites a folder's weights.
pub fn tensors(dir: &Path, change: impl FnOnce(&mut Vec<Stored>)) {
    let path = dir.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<Stored> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, view.dtype(), view.shape().to_vec(), view.data().to_vec()))
        .collect();
    change(&mut all);
    let views = all
        .iter()
        .map(|(name, dtype, shape, data)| (name.clone(), TensorView::new(*dtype, shape.clone(), data).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

pub fn load(path: &Path) -> Result<Arc<dyn Model>> {
    runtime::pool()?.install(|| models::load(path, true, Compute::Exact))
}

/// The ids of a caption of a small picture, of at most `tokens` tokens.
pub fn caption(model: &Arc<dyn Model>, tokens: usize) -> Result<Vec<u32>> {
    let data = (0..20 * 20 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let image = RgbImage { width: 20, height: 20, data };
    let request = Request { max_new_tokens: Some(tokens), ..Request::default() };
    // All of it on the pool: a model as small as these is done before another thread has woken up.
    runtime::pool()?.install(|| {
        let mut run = Run::new(model, image, &request)?;
        while !run.is_done() {
            run.step()?;
        }
        Ok(run.tokens().to_vec())
    })
}

/// The message of a folder or a file that is damaged, which says where it is.
pub fn corrupt(path: &Path) -> String {
    match load(path).map(drop) {
        Err(Error::CorruptModel(message)) if message.contains(path.to_str().unwrap()) => message,
        other => panic!("{other:?}"),
    }
}

/// The message of a folder or a file that is in another form, which says where it is.
pub fn unsupported(path: &Path) -> String {
    match load(path).map(drop) {
        Err(Error::UnsupportedModel(message)) if message.contains(path.to_str().unwrap()) => message,
        other => panic!("{other:?}"),
    }
}

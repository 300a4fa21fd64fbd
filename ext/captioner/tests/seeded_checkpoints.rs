//! Seeded checkpoints are the same bytes in Rust and in Python: the index of the goldens has the sha256 of the files
//! that `research/reference/seeded.py` wrote.

use std::path::Path;

use captioner_testing::{native_config, preset, tensors, write_checkpoint, Options};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn files_are_what_python_writes() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/florence2");
    let index = json(&fixtures.join("cases.json"));
    let checkpoints = index["checkpoints"].as_object().unwrap();
    assert!(checkpoints.len() >= 3);
    for (name, entry) in checkpoints {
        let folder = tempfile::tempdir().unwrap();
        let config = json(&fixtures.join(entry["folder"].as_str().unwrap()).join("config.json"));
        let layout = entry["layout"].as_str().unwrap().parse().unwrap();
        let mut options = Options::new(layout, entry["seed"].as_u64().unwrap());
        options.tied = serde_json::from_value(entry["tied"].clone()).unwrap();
        options.logits_bias = entry["logits_bias"].as_f64().unwrap();
        write_checkpoint(&config, &options, folder.path()).unwrap();
        let bytes = std::fs::read(folder.path().join("model.safetensors")).unwrap();
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, entry["sha256"].as_str().unwrap(), "{name}");
    }
}

#[test]
fn both_flavours_of_a_preset_ask_for_the_same_tensors() {
    for (name, millions) in [("base", 231), ("large", 776), ("small", 13)] {
        let config = preset(name).unwrap();
        let (native, generation) = native_config(&config);
        let shapes = |config: &Value| -> Vec<(String, Vec<usize>)> {
            tensors(config, 0.0).unwrap().into_iter().map(|tensor| (tensor.name, tensor.shape)).collect()
        };
        assert_eq!(shapes(&config), shapes(&native));
        let weights: usize = shapes(&config).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        assert_eq!(weights / 1_000_000, millions, "{name}");
        assert_eq!(generation["no_repeat_ngram_size"], 3);
    }
}

#[test]
fn a_configuration_that_lacks_a_number_is_named() {
    let mut config = preset("base").unwrap();
    config["text_config"].as_object_mut().unwrap().remove("decoder_ffn_dim");
    let error = tensors(&config, 0.0).unwrap_err().to_string();
    assert!(error.contains("decoder_ffn_dim"), "{error}");
    assert!(preset("tiny").is_none());
}

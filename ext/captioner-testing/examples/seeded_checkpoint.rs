//! Writes a checkpoint of Florence-2 or moondream2 with random weights: no Python, nothing stored.
//!
//! ```text
//! cargo run --release --example seeded_checkpoint -- --config base|large|small|moondream2|FILE --layout microsoft|native \
//!     --seed 1 --out DIR [--tokenizer FILE] [--preprocessor FILE] [--tied shared,lm_head] [--logits-bias 0]
//! ```
//!
//! A preset in the native layout gets the native configuration and a generation_config.json; a configuration file is
//! written as it is. moondream2 takes `--seed`, `--out` and `--tokenizer`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use captioner_testing::{moondream2, native_config, preset, preset_preprocessor, write_checkpoint, Naming, Options};

const KNOWN: [&str; 8] = ["config", "layout", "seed", "out", "tokenizer", "preprocessor", "tied", "logits-bias"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = arguments()?;
    let get = |key: &str| arguments.get(key).map(String::as_str);
    let name = get("config").ok_or("--config is missing: base, large, small or a config.json")?;
    let out = PathBuf::from(get("out").ok_or("--out is missing: the folder to write")?);
    let mut options = Options::new(get("layout").unwrap_or("microsoft").parse()?, get("seed").unwrap_or("1").parse()?);
    options.logits_bias = get("logits-bias").unwrap_or("0").parse()?;
    if let Some(tied) = get("tied") {
        options.tied = tied.split(',').map(String::from).collect();
    }
    std::fs::create_dir_all(&out)?;
    let config = match preset(name) {
        None if name == "moondream2" => moondream2::published_config(),
        None => serde_json::from_slice(&std::fs::read(name)?)?,
        Some(config) => {
            std::fs::write(out.join("preprocessor_config.json"), pretty(&preset_preprocessor())?)?;
            match options.naming {
                Naming::Microsoft => config,
                Naming::Native => {
                    let (config, generation) = native_config(&config);
                    std::fs::write(out.join("generation_config.json"), pretty(&generation)?)?;
                    config
                }
            }
        }
    };
    for (key, file) in [("tokenizer", "tokenizer.json"), ("preprocessor", "preprocessor_config.json")] {
        if let Some(source) = get(key) {
            std::fs::copy(Path::new(source), out.join(file))?;
        }
    }
    if config["model_type"] == moondream2::MODEL_TYPE {
        moondream2::write_checkpoint(&config, options.seed, &out)?;
    } else {
        write_checkpoint(&config, &options, &out)?;
    }
    println!("{}", out.join("model.safetensors").display());
    Ok(())
}

fn pretty(value: &serde_json::Value) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// `--key value` pairs.
fn arguments() -> Result<HashMap<String, String>, String> {
    let mut out = HashMap::new();
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        let key = flag.strip_prefix("--").filter(|key| KNOWN.contains(key));
        let key = key.ok_or_else(|| format!("unknown argument {flag:?}; known: --{}", KNOWN.join(", --")))?;
        out.insert(key.to_string(), given.next().ok_or_else(|| format!("--{key} needs a value"))?);
    }
    Ok(out)
}

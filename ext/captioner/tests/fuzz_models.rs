//! Damaged configurations, tokenizers and packed files of every family: a short run of what `fuzz/` does for long.
//! `FUZZ_RUNS=1000000 cargo test --release --test fuzz_models` is a long one. `FUZZ_SEEDS=folder` writes the seeds there.

mod fuzz_support;
#[path = "fuzz_support/models.rs"]
mod target;

use fuzz_support::json::damaged_json;
use fuzz_support::run;

fn fuzz(name: &str, seeds: &[Vec<u8>], skipped: usize, target: impl Fn(&[u8])) {
    if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
        let folder = std::path::Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(number.to_string()), seed).unwrap();
        }
    }
    seeds.iter().for_each(|seed| target(seed));
    run(name, seeds, |seed, other, random| damaged_json(seed, other, skipped, random), target);
}

#[test]
fn configuration() {
    fuzz("configuration", &target::configuration_seeds(), 1, target::configuration);
}

#[test]
fn tokenizer() {
    fuzz("tokenizer", &target::tokenizer_seeds(), 1, target::tokenizer);
}

#[test]
fn packed() {
    fuzz("packed", &target::packed_seeds(), 0, target::packed_file);
}

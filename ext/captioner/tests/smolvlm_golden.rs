//! SmolVLM against transformers in f32 (`research/reference/smolvlm`): pixels, prompts, stages, token ids and answers of small
//! seeded checkpoints in four shapes.

mod golden_support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use captioner::captioner::Run;
use captioner::image::{load_path, Limits, RgbImage};
use captioner::kernels::Compute;
use captioner::models::smolvlm::{self, clean_up, Config, Grid, ImageConfig, Pieces, Tiles};
use captioner::models::{self, Model, Request};
use captioner::nn::with_values;
use captioner::text::open_tokenizer;
use golden_support::Sampling;
use safetensors::SafeTensors;
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

const TOLERANCE: f64 = 1e-4;
const DESCRIPTION: &str = "Can you describe this image?";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/smolvlm")
}

fn index() -> Value {
    serde_json::from_slice(&std::fs::read(fixtures().join("cases.json")).unwrap()).unwrap()
}

fn lines(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(fixtures().join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn number(value: &Value, key: &str) -> usize {
    value[key].as_u64().unwrap() as usize
}

/// A checkpoint with the tokenizer that all of them share.
fn checkpoint(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(fixtures().join("checkpoints").join(name)).unwrap().map(|file| file.unwrap()) {
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    std::fs::copy(fixtures().join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    folder
}

fn load(name: &str) -> Arc<dyn Model> {
    models::load(checkpoint(name).path(), true, Compute::Exact).unwrap()
}

fn start(model: &Arc<dyn Model>, case: &Value) -> Run {
    let image = load_path(&fixtures().join(text(case, "image")), &Limits::default()).unwrap();
    let prompt = Some(text(case, "question").to_string()).filter(|question| question != DESCRIPTION);
    let max_new_tokens = Some(number(case, "max_new_tokens"));
    Run::new(model, image, &Request { prompt, max_new_tokens, ..Request::default() }).unwrap()
}

#[test]
fn token_ids_and_answers_equal_the_reference() {
    let cases = index()["cases"].as_array().unwrap().clone();
    for case in &cases {
        let model = load(text(case, "checkpoint"));
        let mut run = start(&model, case);
        while !run.is_done() {
            run.step().unwrap();
        }
        assert_eq!(json!(run.tokens()), case["ids"], "{}", case["name"]);
        assert_eq!(model.text(run.tokens()), text(case, "text"), "{}", case["name"]);
    }
    assert!(cases.len() >= 10);
}

#[test]
fn every_stage_is_close_to_the_reference() {
    let index = index();
    let sampling: Sampling = serde_json::from_value(index["sampling"].clone()).unwrap();
    let (mut worst, mut compared) = (0f64, 0);
    for case in index["cases"].as_array().unwrap() {
        let golden = std::fs::read(fixtures().join(text(case, "golden"))).unwrap();
        let golden = SafeTensors::deserialize(&golden).unwrap();
        let (mut vision, mut connector, mut logits) = (Vec::new(), Vec::new(), Vec::new());
        let mut run = start(&load(text(case, "checkpoint")), case);
        while logits.is_empty() {
            run.step().unwrap();
            let Some((name, values)) = run.tap() else { continue };
            let stage = match name.split('.').next().unwrap() {
                "vision" => &mut vision,
                "connector" => &mut connector,
                _ => &mut logits,
            };
            with_values(values, |values| stage.extend_from_slice(values)).unwrap();
        }
        for (name, ours) in [("vision", vision), ("connector", connector), ("logits", logits)] {
            let error = sampling.relative_error(&golden, name, &ours);
            assert!(error <= TOLERANCE, "{}: {name} is off by {error:.2e}", case["name"]);
            (worst, compared) = (worst.max(error), compared + 1);
        }
    }
    println!("{compared} stages, worst relative error {worst:.2e}");
    assert!(compared >= 30);
}

/// The processor's settings that a row was made with.
fn settings(name: &str) -> (ImageConfig, bool) {
    let (tile, longest) = if name.starts_with("published") { (512, 2048) } else { (192, 384) };
    let settings = json!({
        "size": {"longest_edge": longest}, "max_image_size": {"longest_edge": tile},
        "do_image_splitting": !name.ends_with("whole"), "rescale_factor": 0.00392156862745098,
    });
    let settings: ImageConfig = serde_json::from_value(settings).unwrap();
    let splitting = settings.do_image_splitting;
    (settings, splitting)
}

/// The synthetic picture that rows without a file were made with.
fn picture(width: usize, height: usize) -> RgbImage {
    let mut data = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let green = ((x / 8) ^ (y / 8)) % 2 * 255;
            data.extend([(7 * x + 3 * y + x * y / 64) as u8, green as u8, ((x * x + y * y) / 16) as u8]);
        }
    }
    RgbImage { width: width as u32, height: height as u32, data }
}

#[test]
fn pixels_are_the_very_bytes_of_the_reference() {
    let rows = lines("pixels.jsonl");
    for row in &rows {
        let image = match row["file"].as_str() {
            Some(file) => load_path(&fixtures().join("../images").join(file), &Limits::default()).unwrap(),
            None => picture(number(row, "width"), number(row, "height")),
        };
        let (config, splitting) = settings(text(row, "settings"));
        let tiles = Tiles::new(&image, &config, splitting).unwrap();
        let grid = Grid { rows: number(row, "rows"), cols: number(row, "columns") };
        let place = format!("{} {}x{} {}", row["settings"], image.width, image.height, row["file"]);
        assert_eq!(tiles.grid(), grid, "{place}");
        let mut values = Sha256::new();
        for index in 0..grid.images() {
            if let Some(digest) = row["tiles_sha256"][index].as_str() {
                assert_eq!(hex(&Sha256::digest(&tiles.image(index).unwrap().data))[..16], *digest, "{place}: {index}");
            }
            // The reference has planes: channel, row, column.
            let pixels = tiles.pixel_values(index, &config).unwrap();
            for channel in 0..3 {
                let plane: Vec<u8> = pixels.iter().skip(channel).step_by(3).flat_map(|v| v.to_le_bytes()).collect();
                values.update(plane);
            }
        }
        assert_eq!(hex(&values.finalize()), text(row, "pixel_values_sha256"), "{place}");
    }
    assert!(rows.len() >= 40, "{} rows are too few", rows.len());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn prompts_have_the_ids_of_the_reference() {
    let folder = checkpoint("standard");
    let config = Config::read(folder.path()).unwrap();
    let path = folder.path().join("tokenizer.json");
    let tokenizer = open_tokenizer(&path).unwrap();
    let pieces = Pieces::new(&tokenizer, &path, config.image_token_id, 6).unwrap();
    let rows = lines("prompts.jsonl");
    for row in &rows {
        let expected: Vec<[u32; 2]> = serde_json::from_value(row["run_lengths"].clone()).unwrap();
        let expected: Vec<u32> = expected.into_iter().flat_map(|[id, count]| vec![id; count as usize]).collect();
        let grid = Grid { rows: number(row, "rows"), cols: number(row, "columns") };
        let tail = Some(text(row, "question")).filter(|question| *question != DESCRIPTION);
        let tail = tail.map(|question| tokenizer.encode(smolvlm::tail(question), false).unwrap().get_ids().to_vec());
        let prompt = pieces.prompt(grid, config.image_seq_len(), tail.as_deref());
        assert_eq!(prompt.ids(), expected, "{}x{}", row["rows"], row["columns"]);
    }
    assert!(rows.len() >= 37);
}

// docs/parity.md says which answers are not the application's, and why.
#[test]
fn answers_are_cleaned_up_as_the_application_does_wherever_it_leaves_its_own_label_out() {
    let rows = lines("cleanup.jsonl");
    let (mut same, mut other) = (0, 0);
    for row in &rows {
        let (answer, plain) = (text(row, "answer"), text(row, "plain"));
        assert_eq!(clean_up(answer), plain, "{answer:?}");
        if answer.starts_with(' ') && !plain.is_empty() {
            same += 1;
            assert_eq!(plain, text(row, "application"), "{answer:?}");
        } else {
            other += 1;
            assert_ne!(plain, text(row, "application"), "{answer:?}");
        }
    }
    assert!(same >= 60 && other >= 20, "{same} the same, {other} not");
}

//! Stages, token ids and texts against the reference (`research/reference/moondream/golden.py`): PyTorch in f32 over seeded
//! checkpoints in 16 bits, and over the int8 weights of bitsandbytes.

mod moondream2_support;

use moondream2_support::{until_first_logits, Cases};
use sha2::{Digest, Sha256};

/// ‖ours - reference‖₂ / ‖reference‖₂ of every stage.
const TOLERANCE: f64 = 1e-4;

#[test]
fn seeded_checkpoints_are_those_of_python() {
    let cases = Cases::read();
    for (name, checkpoint) in &cases.checkpoints {
        let bytes = std::fs::read(cases.folder(name).join("model.safetensors")).unwrap();
        let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sha256, checkpoint.sha256, "{name}");
    }
}

#[test]
fn token_ids_and_text_equal_the_reference() {
    let cases = Cases::read();
    let mut wrong = Vec::new();
    for case in &cases.cases {
        let model = cases.model(case);
        let end = model.settings().eos_token_ids[0];
        let mut run = cases.start(&model, case);
        while !run.is_done() {
            run.step().unwrap();
        }
        let ids = run.tokens().strip_suffix(&[end]).unwrap_or(run.tokens());
        if ids != case.ids || model.text(run.tokens()) != case.text {
            wrong.push(format!("{}: {ids:?}, reference {:?}", case.name, case.ids));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.cases.iter().any(|case| case.ids.len() < 40), "no case comes to its end");
}

#[test]
fn every_stage_is_close_to_the_reference() {
    let cases = Cases::read();
    let mut worst = 0f64;
    for case in &cases.cases {
        let model = cases.model(case);
        let mut seen = Vec::new();
        for (name, values) in until_first_logits(&mut cases.start(&model, case)) {
            let error = cases.relative_error(case, &name, &values);
            assert!(error <= TOLERANCE, "{}: {name} is off by {error:.2e}", case.name);
            worst = worst.max(error);
            seen.push(name);
        }
        assert_eq!(seen, ["vision", "image_features", "logits"], "{}", case.name);
    }
    println!("{} cases, worst relative error of a stage {worst:.2e}", cases.cases.len());
}

#[test]
fn ids_are_decoded_as_a_whole() {
    let cases = Cases::read();
    let model = cases.model(&cases.cases[0]);
    for decoded in &cases.decoding {
        assert_eq!(model.text(&decoded.ids), decoded.text.trim(), "{:?}", decoded.ids);
    }
}

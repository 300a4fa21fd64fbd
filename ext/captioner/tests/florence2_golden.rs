//! Stages and token ids against the reference (`research/reference/golden.py`): transformers in f32 over seeded checkpoints.

mod florence2_support;

use captioner::nn::with_values;
use florence2_support::{finish, relative_error, Cases};

/// ‖ours - reference‖₂ / ‖reference‖₂ of every stage.
const TOLERANCE: f64 = 1e-4;

#[test]
fn token_ids_and_text_equal_the_reference() {
    let cases = Cases::read();
    let mut wrong = Vec::new();
    for case in &cases.cases {
        let model = cases.model(case);
        let mut run = case.start(&model, &cases);
        finish(&mut run);
        // The reference's ids leave out the start token.
        if run.tokens() != case.ids || model.text(run.tokens()) != case.text {
            wrong.push(format!("{}: {:?}, reference {:?}", case.name, run.tokens(), case.ids));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.cases.len() >= 12, "{} cases are too few", cases.cases.len());
}

#[test]
fn every_stage_is_close_to_the_reference() {
    let cases = Cases::read();
    let (mut worst, mut compared) = (0f64, 0);
    for case in &cases.cases {
        let model = cases.model(case);
        let golden = cases.golden(case);
        let mut run = case.start(&model, &cases);
        let mut seen = Vec::new();
        for stage in florence2_support::until_first_logits(&mut run) {
            let (name, values) = stage;
            let error = relative_error(&cases, &golden, &name, &values);
            assert!(error <= TOLERANCE, "{}: {name} is off by {error:.2e}", case.name);
            worst = worst.max(error);
            compared += 1;
            seen.push(name);
        }
        let expected = golden.names().into_iter().filter(|name| *name != "pixel_values").count();
        assert_eq!(seen.len(), expected, "{}: compared {seen:?} of {:?}", case.name, golden.names());
    }
    println!("{compared} stages, worst relative error {worst:.2e}");
}

#[test]
fn prompts_and_pixels_equal_the_reference() {
    let cases = Cases::read();
    for case in &cases.cases {
        let model = cases.florence2(case);
        let task = case.task.parse().unwrap();
        assert_eq!(model.processor().prompt(task), case.prompt_ids, "{}", case.name);
        let pixels = model.processor().pixels(&cases.image(case)).unwrap();
        // The reference has planes: channel, row, column.
        let planes = |pixels: &[f32]| -> Vec<f32> {
            (0..3).flat_map(|channel| pixels.iter().skip(channel).step_by(3).copied()).collect()
        };
        let values = with_values(&pixels, planes).unwrap();
        let error = relative_error(&cases, &cases.golden(case), "pixel_values", &values);
        assert_eq!(error, 0.0, "{}: pixel_values", case.name);
    }
}

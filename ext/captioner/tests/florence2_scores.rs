//! Teacher forcing, against transformers (`research/reference/scores.py`) and against the model's own greedy captions.

mod florence2_support;

use std::collections::BTreeMap;
use std::path::Path;

use captioner::models::florence2::{Florence2, Options, Run, Stage, TokenScore};
use captioner::Error;
use florence2_support::Cases;

fn encode(model: &Florence2, run: &mut Run) {
    while model.step(run).unwrap() != Stage::Encoder {}
}

fn scores(model: &Florence2, run: &Run, ids: &[u32]) -> Vec<TokenScore> {
    let mut scoring = model.start_scoring(run, ids).unwrap();
    while model.score(&mut scoring).unwrap() != Stage::Done {}
    scoring.scores().to_vec()
}

#[test]
fn log_probabilities_equal_the_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scores.json");
    let expected: BTreeMap<String, Vec<f32>> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (cases, mut compared, mut worst) = (Cases::read(), 0, 0f32);
    for case in &cases.cases {
        let model = cases.model(case);
        let mut run = case.start(&model, &cases);
        encode(&model, &mut run);
        let forced = usize::from(model.settings().forced_bos_token_id.is_some());
        let scores = scores(&model, &run, &case.ids);
        assert_eq!(scores.len(), case.ids.len() - forced, "{}", case.name);
        for ((score, id), theirs) in scores.iter().zip(&case.ids[forced..]).zip(&expected[&case.name][forced..]) {
            assert_eq!(score.token, *id, "{}", case.name);
            worst = worst.max((score.log_probability - theirs).abs());
            compared += 1;
        }
    }
    println!("{compared} log-probabilities, worst difference {worst:.2e}");
    assert!(worst < 1e-3 && compared > 200, "{compared} compared, off by {worst}");
}

#[test]
fn a_greedy_caption_is_what_its_model_finds_likeliest() {
    let (cases, mut tokens) = (Cases::read(), 0);
    for case in &cases.cases {
        let model = cases.model(case);
        let options = Options { num_beams: Some(1), max_new_tokens: Some(12), ..Options::default() };
        let mut run = model.start(&cases.image(case), &options).unwrap();
        encode(&model, &mut run);
        while model.step(&mut run).unwrap() != Stage::Done {}
        let caption = run.tokens()[1..].to_vec();
        let mut run = model.start(&cases.image(case), &options).unwrap();
        encode(&model, &mut run);
        // The last token may be an end that the limit forced.
        for score in scores(&model, &run, &caption[..caption.len() - 1]) {
            assert_eq!(score.best, score.token, "{}", case.name);
            assert!(score.log_probability <= 0.0, "{}", case.name);
            tokens += 1;
        }
        while model.step(&mut run).unwrap() != Stage::Done {}
        assert_eq!(run.tokens()[1..], caption, "{}: scoring changed the caption", case.name);
    }
    assert!(tokens > 50, "{tokens}");
}

#[test]
fn ids_that_cannot_be_scored_are_refused() {
    let cases = Cases::read();
    let case = &cases.cases[0];
    let model = cases.model(case);
    let mut run = case.start(&model, &cases);
    assert!(matches!(model.start_scoring(&run, &[0]), Err(Error::Internal(_))), "before the encoder has ended");
    encode(&model, &mut run);
    for ids in [vec![], vec![u32::MAX], vec![0; 100_000]] {
        assert!(matches!(model.start_scoring(&run, &ids), Err(Error::InvalidArgument(_))), "{} ids", ids.len());
    }
}

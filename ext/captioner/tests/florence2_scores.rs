//! Teacher forcing, against transformers (`research/reference/scores.py`) and against the model's own greedy captions.

mod florence2_support;

use std::collections::BTreeMap;
use std::path::Path;

use captioner::captioner::Run;
use captioner::generate::TokenScore;
use captioner::models::Request;
use captioner::Error;
use florence2_support::{finish, Cases};

fn encode(run: &mut Run) {
    while !run.is_encoded() {
        run.step().unwrap();
    }
}

fn scores(run: &Run, ids: &[u32]) -> Vec<TokenScore> {
    let mut scoring = run.score(ids).unwrap();
    while !scoring.is_done() {
        scoring.step().unwrap();
    }
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
        encode(&mut run);
        let forced = usize::from(!case.settings["forced_bos_token_id"].is_null());
        let scores = scores(&run, &case.ids);
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
        let request = Request { num_beams: Some(1), max_new_tokens: Some(12), ..Request::default() };
        let mut run = Run::new(&model, cases.image(case), &request).unwrap();
        encode(&mut run);
        finish(&mut run);
        let caption = run.tokens().to_vec();
        let mut run = Run::new(&model, cases.image(case), &request).unwrap();
        encode(&mut run);
        // The last token may be an end that the limit forced.
        for score in scores(&run, &caption[..caption.len() - 1]) {
            assert_eq!(score.best, score.token, "{}", case.name);
            assert!(score.log_probability <= 0.0, "{}", case.name);
            tokens += 1;
        }
        finish(&mut run);
        assert_eq!(run.tokens(), caption, "{}: scoring changed the caption", case.name);
    }
    assert!(tokens > 50, "{tokens}");
}

#[test]
fn ids_that_cannot_be_scored_are_refused() {
    let cases = Cases::read();
    let case = &cases.cases[0];
    let model = cases.model(case);
    let mut run = case.start(&model, &cases);
    assert!(matches!(run.score(&[0]), Err(Error::Internal(_))), "before the encoder has ended");
    encode(&mut run);
    for ids in [vec![], vec![u32::MAX], vec![0; 100_000]] {
        assert!(matches!(run.score(&ids), Err(Error::InvalidArgument(_))), "{} ids", ids.len());
    }
}

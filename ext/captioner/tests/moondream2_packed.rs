//! Packed moondream2: what is in the file, what it answers, and what the model cannot be asked.

mod moondream2_support;

use captioner::kernels::Compute;
use captioner::models::{self, Request};
use captioner::Error;
use moondream2_support::{until_first_logits, Cases};
use safetensors::SafeTensors;

/// Largest relative errors of the image's embeddings and of the first logits, in the arithmetic that is the default.
const TOLERANCES: [(&str, f64, f64); 3] = [("int8", 0.05, 0.08), ("linears", 0.05, 0.08), ("nf4", 0.4, 0.45)];

#[test]
fn a_packed_file_needs_nothing_beside_it() {
    let cases = Cases::read();
    let asked = cases.cases.iter().filter(|case| case.weights == "f16");
    let mut questions = 0;
    for case in asked {
        // Rules that leave every matrix as it is.
        let packed = cases.packed(&case.checkpoint, "all=keep").unwrap();
        let alone = tempfile::tempdir().unwrap();
        let file = alone.path().join("model");
        std::fs::copy(&packed, &file).unwrap();
        let model = models::load(&file, true, Compute::Exact).unwrap();
        let mut run = cases.start(&model, case);
        while !run.is_done() {
            run.step().unwrap();
        }
        assert_eq!(model.text(run.tokens()), case.text, "{}", case.name);
        questions += usize::from(case.name.contains("333x128") || case.name.contains("100x77"));
    }
    assert_eq!(questions, 2, "questions of the caller's own are among the cases");
}

#[test]
fn points_and_boxes_are_left_out() {
    let cases = Cases::read();
    let stored = std::fs::read(cases.folder("small").join("model.safetensors")).unwrap();
    let is_region = |name: &&str| name.contains("region");
    assert_eq!(SafeTensors::deserialize(&stored).unwrap().names().into_iter().filter(|n| is_region(&&**n)).count(), 14);
    let packed = std::fs::read(cases.packed("small", "int8").unwrap()).unwrap();
    assert_eq!(SafeTensors::deserialize(&packed).unwrap().names().into_iter().filter(|n| is_region(&&**n)).count(), 0);
}

#[test]
fn quantized_stages_stay_near_the_reference() {
    let cases = Cases::read();
    for (recipe, image, logits) in TOLERANCES {
        for case in cases.cases.iter().filter(|case| case.weights == "f16") {
            let model = models::load(&cases.packed(&case.checkpoint, recipe).unwrap(), true, Compute::Fast).unwrap();
            for (name, values) in until_first_logits(&mut cases.start(&model, case)) {
                let error = cases.relative_error(case, &name, &values);
                let most = if name == "logits" { logits } else { image };
                assert!(error > 0.0 && error < most, "{recipe}, {}: {name} is off by {error:.3}", case.name);
            }
        }
    }
}

#[test]
fn what_cannot_be_asked_says_why() {
    let cases = Cases::read();
    let model = cases.model(&cases.cases[0]);
    let task = |task: &str| Request { task: Some(task.into()), ..Request::default() };
    let prompt = |prompt: &str| Request { prompt: Some(prompt.into()), ..Request::default() };
    for (request, why) in [
        (task("<DETAILED_CAPTION>"), "<SHORT_CAPTION>, <CAPTION>"),
        (Request { prompt: Some("Who?".into()), ..task("<CAPTION>") }, "either a task or a prompt"),
        (prompt(" \n"), "empty"),
        (Request { image_splitting: Some(false), ..Request::default() }, "image_splitting"),
        // More tokens than there are positions.
        (prompt(&"why? ".repeat(300)), "shorter question"),
    ] {
        let error = model.check(&request).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{request:?}: {error:?}");
        assert!(error.to_string().contains(why), "{request:?}: {error}");
    }
    for request in [task("<SHORT_CAPTION>"), task("<CAPTION>"), prompt("Who?"), Request::default()] {
        model.check(&request).unwrap();
    }
}

#[test]
fn a_checkpoint_without_templates_for_questions_says_so() {
    let cases = Cases::read();
    let checkpoint = &cases.checkpoints["small"];
    let mut config = checkpoint.config.clone();
    config["config"]["tokenizer"]["templates"]["query"] = serde_json::Value::Null;
    let folder = cases.folder("small");
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let model = models::load(&folder, true, Compute::Exact).unwrap();
    let error = model.check(&Request { prompt: Some("Who?".into()), ..Request::default() }).unwrap_err();
    assert!(matches!(error, Error::UnsupportedModel(_)), "{error:?}");
    model.check(&Request::default()).unwrap();
}

#[test]
fn damaged_checkpoints_name_the_file_at_fault() {
    let cases = Cases::read();
    let folder = cases.folder("even");
    let failure = || match models::load(&folder, true, Compute::Exact) {
        Ok(_) => panic!("it loads"),
        Err(error) => error,
    };
    let tokenizer = std::fs::read(folder.join("tokenizer.json")).unwrap();
    std::fs::remove_file(folder.join("tokenizer.json")).unwrap();
    assert!(matches!(failure(), Error::NotFound(path) if path.ends_with("tokenizer.json")));
    std::fs::write(folder.join("tokenizer.json"), "{}").unwrap();
    assert!(failure().to_string().contains("tokenizer.json"));
    std::fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
    let mut config = cases.checkpoints["even"].config.clone();
    config["config"]["text"]["n_layers"] = 3.into();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let error = failure();
    assert!(matches!(error, Error::CorruptModel(_)) && error.to_string().contains("text.blocks.2"), "{error}");
}

//! Packed models against transformers in f32 over the same weights after bitsandbytes (`research/reference/quantized_golden.py`).

mod florence2_support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use captioner::{runtime, store};
use florence2_support::{finish, load, relative_error, until_first_logits, Cases, Golden};
use serde::Deserialize;

/// ‖ours - reference‖₂ / ‖reference‖₂ of every stage.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Index {
    cases: Vec<Entry>,
}

/// One of the cases of `fixtures/florence2`, under a recipe. The limit keeps clear of choices that rounding decides.
#[derive(Deserialize)]
struct Entry {
    name: String,
    recipe: String,
    max_new_tokens: usize,
    ids: Vec<u32>,
    text: String,
    golden: Option<PathBuf>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quantized")
}

#[test]
fn packed_models_are_the_reference_over_bitsandbytes_weights() {
    let index: Index = serde_json::from_slice(&std::fs::read(fixtures().join("cases.json")).unwrap()).unwrap();
    let (mut cases, packs) = (Cases::read(), tempfile::tempdir().unwrap());
    let mut wrong = Vec::new();
    // Cases, stages and the worst stage by recipe.
    let mut counts: BTreeMap<&str, (usize, usize, f64)> = BTreeMap::new();
    for entry in &index.cases {
        let at = cases.cases.iter().position(|case| case.name == entry.name).unwrap();
        cases.cases[at].settings["max_new_tokens"] = entry.max_new_tokens.into();
        let case = &cases.cases[at];
        let checkpoint = cases.checkpoint(case);
        let name = checkpoint.file_name().unwrap().to_str().unwrap();
        let ready = store::packed(
            &checkpoint,
            packs.path(),
            name,
            Some("seeded"),
            &entry.recipe,
            runtime::pool().unwrap(),
            &|| false,
        )
        .unwrap();
        let model = load(&ready.path);

        let mut run = case.start(&model, &cases);
        finish(&mut run);
        if run.tokens() != entry.ids || model.text(run.tokens()) != entry.text {
            wrong.push(format!("{} {}: {:?}, reference {:?}", entry.recipe, entry.name, run.tokens(), entry.ids));
        }
        let count = counts.entry(entry.recipe.as_str()).or_default();
        count.0 += 1;

        let Some(path) = &entry.golden else { continue };
        let golden = Golden(std::fs::read(fixtures().join(path)).unwrap());
        let compared = until_first_logits(&mut case.start(&model, &cases));
        assert_eq!(compared.len(), golden.names().len(), "{}: {:?}", entry.name, golden.names());
        for (stage, values) in compared {
            let error = relative_error(&cases, &golden, &stage, &values);
            if error > TOLERANCE {
                wrong.push(format!("{} {}: {stage} is off by {error:.2e}", entry.recipe, entry.name));
            }
            (count.1, count.2) = (count.1 + 1, count.2.max(error));
        }
    }
    println!("cases, stages, worst relative error: {counts:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let enough = |recipe, cases, stages| counts[recipe].0 >= cases && counts[recipe].1 >= stages;
    assert!(enough("compact", 19, 50) && enough("balanced", 5, 9), "{counts:?}");
}

//! Output layers with a matrix of their own, and generation settings by layout.

mod folder_support;

use std::path::Path;

use captioner::{models, runtime};
use folder_support::{caption, change, folder, load, tensors};
use serde_json::json;

const CONFIG: &str = "config.json";

/// Gives a model an output layer of its own: the token table with the rows of `a` and `b` in each other's place.
fn untie(dir: &Path, table: &str, head: &str, a: u32, b: u32) {
    tensors(dir, |all| {
        let mut own = all.iter().find(|(name, ..)| name == table).unwrap().clone();
        let width = own.3.len() / own.2[0];
        for i in 0..width {
            own.3.swap(a as usize * width + i, b as usize * width + i);
        }
        own.0 = head.into();
        all.retain(|(name, ..)| name != head);
        all.push(own);
    });
}

/// Captions until they differ: only what is written changes, so the first of the two tokens is the other one now.
fn check(dir: &Path, tied: &[u32], a: u32, b: u32) {
    let recipe = models::family(dir).unwrap().recipe("all=keep").unwrap();
    let out = dir.join("packed");
    models::pack(dir, &recipe, "test", &out, runtime::pool().unwrap(), &|| false).unwrap();
    let at = tied.iter().position(|id| *id == a || *id == b).unwrap();
    for place in [dir, out.as_path()] {
        let ids = caption(&load(place).unwrap(), tied.len()).unwrap();
        assert_eq!(ids[..at], tied[..at], "{}", place.display());
        assert_eq!(ids[at], if tied[at] == a { b } else { a }, "{}", place.display());
    }
}

#[test]
fn florence2_uses_its_own_output_layer_in_both_layouts() {
    for (kind, table, head, place) in [
        (
            "florence2",
            "language_model.model.shared.weight",
            "language_model.lm_head.weight",
            "/text_config/tie_word_embeddings",
        ),
        ("florence2-native", "model.language_model.shared.weight", "lm_head.weight", "/tie_word_embeddings"),
    ] {
        let folder = folder(kind);
        for file in [CONFIG, "generation_config.json"] {
            let greedy = if kind == "florence2" { "/text_config/num_beams" } else { "/num_beams" };
            if (file == CONFIG) == (kind == "florence2") {
                change(folder.path(), file, greedy, json!(1));
            }
        }
        let tied = caption(&load(folder.path()).unwrap(), 6).unwrap();
        // The first token is forced.
        let (a, b) = (tied[2], (tied[2] + 1) % 400);
        untie(folder.path(), table, head, a, b);
        // A copy in the file is no layer of its own unless the configuration says so.
        assert_eq!(caption(&load(folder.path()).unwrap(), 6).unwrap(), tied, "{kind}");
        change(folder.path(), CONFIG, place, json!(false));
        check(folder.path(), &tied, a, b);
        tensors(folder.path(), |all| all.retain(|(name, ..)| name != head));
        assert!(folder_support::corrupt(folder.path()).contains(head), "{kind}");
    }
}

#[test]
fn smolvlm_uses_its_own_output_layer() {
    let folder = folder("smolvlm");
    let (table, head) = ("model.text_model.embed_tokens.weight", "lm_head.weight");
    change(folder.path(), CONFIG, "/tie_word_embeddings", json!(true));
    let tied = caption(&load(folder.path()).unwrap(), 6).unwrap();
    let (a, b) = (tied[0], (tied[0] + 1) % 300);
    untie(folder.path(), table, head, a, b);
    assert_eq!(caption(&load(folder.path()).unwrap(), 6).unwrap(), tied);
    change(folder.path(), CONFIG, "/tie_word_embeddings", json!(false));
    check(folder.path(), &tied, a, b);
}

#[test]
fn moondream2_always_has_its_own_output_layer() {
    let folder = folder("moondream2");
    let own = caption(&load(folder.path()).unwrap(), 6).unwrap();
    let (a, b) = (own[0], (own[0] + 1) % 400);
    tensors(folder.path(), |all| {
        for name in ["model.text.lm_head.weight", "model.text.lm_head.bias"] {
            let tensor = all.iter_mut().find(|(own, ..)| own == name).unwrap();
            let width = tensor.3.len() / tensor.2[0];
            for i in 0..width {
                tensor.3.swap(a as usize * width + i, b as usize * width + i);
            }
        }
    });
    assert_eq!(caption(&load(folder.path()).unwrap(), 6).unwrap()[0], b);
}

/// Microsoft's code generates with the language model alone, which never sees the file; the native code reads the file alone.
#[test]
fn generation_settings_are_taken_from_where_the_reference_takes_them() {
    let settings = json!({"num_beams": 4, "no_repeat_ngram_size": 1, "length_penalty": 2.0, "forced_bos_token_id": 0});
    let folder = folder("florence2");
    let keys = ["num_beams", "early_stopping", "no_repeat_ngram_size", "length_penalty", "forced_bos_token_id"];
    let mut config = folder_support::read(&folder.path().join(CONFIG));
    config["text_config"].as_object_mut().unwrap().retain(|key, _| !keys.contains(&key.as_str()));
    folder_support::write(&folder.path().join(CONFIG), &config);
    folder_support::write(&folder.path().join("generation_config.json"), &settings);
    let found = load(folder.path()).unwrap().settings().clone();
    assert_eq!((found.num_beams, found.no_repeat_ngram_size, found.length_penalty), (1, 0, 1.0));
    assert_eq!((found.forced_bos_token_id, found.forced_eos_token_id), (None, Some(2)));

    let folder = folder_support::folder("florence2-native");
    change(folder.path(), CONFIG, "/text_config/num_beams", json!(7));
    folder_support::write(&folder.path().join("generation_config.json"), &settings);
    let found = load(folder.path()).unwrap().settings().clone();
    assert_eq!((found.num_beams, found.no_repeat_ngram_size, found.length_penalty), (4, 1, 2.0));
}

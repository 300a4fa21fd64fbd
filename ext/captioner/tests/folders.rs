//! Folders as people have them: damaged, in another form, of another configuration. Each is a typed error that says what it
//! is, or a caption that is right.

mod folder_support;

use captioner::{models, runtime, Error};
use folder_support::{caption, change, corrupt, folder, load, numbers, packed, read, tensors, unsupported, KINDS};
use serde_json::{json, Value};

const CONFIG: &str = "config.json";

/// Packs a folder by the family's first recipe in int8.
fn pack(dir: &std::path::Path) -> std::path::PathBuf {
    let out = dir.with_extension("packed");
    let recipe = models::family(dir).unwrap().recipe("int8").unwrap();
    models::pack(dir, &recipe, "test", &out, runtime::pool().unwrap(), &|| false).unwrap();
    out
}

#[test]
fn every_kind_of_folder_captions() {
    for kind in KINDS {
        let folder = folder(kind);
        assert!(!caption(&load(folder.path()).unwrap(), 4).unwrap().is_empty(), "{kind}");
    }
}

#[test]
fn numbers_that_cannot_be_are_a_damaged_model() {
    let huge = json!(u64::MAX);
    let florence2 = [
        ("/vision_config/window_size", json!(100_000)),
        ("/vision_config/patch_padding/1", json!(100_000)),
        ("/vision_config/patch_padding/0", json!(1000)),
        ("/vision_config/patch_stride/1", json!(0)),
        ("/vision_config/patch_stride/1", huge.clone()),
        ("/vision_config/patch_size/0", huge.clone()),
        ("/vision_config/depths/0", huge.clone()),
        ("/vision_config/depths/0", json!(0)),
        ("/text_config/encoder_layers", huge.clone()),
        ("/text_config/decoder_layers", json!(1)),
        ("/text_config/vocab_size", json!(400 + (1u64 << 58))),
        ("/text_config/encoder_ffn_dim", json!(32 + (1u64 << 63))),
        ("/text_config/max_position_embeddings", json!(96 + (1u64 << 57))),
        ("/text_config/max_position_embeddings", json!(10)),
        ("/text_config/eos_token_id", json!(400)),
    ];
    let smolvlm = [
        ("/scale_factor", huge.clone()),
        ("/vision_config/image_size", huge.clone()),
        ("/vision_config/patch_size", json!(0)),
        ("/vision_config/num_hidden_layers", huge.clone()),
        ("/vision_config/num_hidden_layers", json!(1)),
        ("/vision_config/layer_norm_eps", json!(-1.0)),
        ("/text_config/num_hidden_layers", json!(1)),
        ("/text_config/head_dim", huge.clone()),
        ("/text_config/rope_theta", json!(0)),
        ("/text_config/rope_theta", json!(1e300)),
        ("/image_token_id", json!(100_000)),
    ];
    let moondream2 = [
        ("/config/text/n_layers", huge.clone()),
        ("/config/text/n_layers", json!(1)),
        ("/config/text/ff_dim", huge.clone()),
        ("/config/text/max_context", huge.clone()),
        ("/config/vision/enc_n_layers", json!(1)),
        ("/config/vision/max_crops", json!(1_000_000)),
        ("/config/vision/crop_size", huge.clone()),
        ("/config/vision/overlap_margin", huge.clone()),
        ("/config/tokenizer/eos_id", json!(100_000)),
    ];
    for (kind, changes) in [("florence2", &florence2[..]), ("smolvlm", &smolvlm), ("moondream2", &moondream2)] {
        let folder = folder(kind);
        let own = read(&folder.path().join(CONFIG));
        for (place, value) in changes {
            change(folder.path(), CONFIG, place, value.clone());
            let message = corrupt(folder.path());
            assert!(!message.is_empty(), "{kind} {place} {value}");
            folder_support::write(&folder.path().join(CONFIG), &own);
        }
    }
}

#[test]
fn a_processor_that_hides_the_image_is_a_damaged_model() {
    for kind in ["florence2", "florence2-native", "smolvlm"] {
        for (place, value) in [
            ("/image_std", json!([0.0, 0.224, 0.225])),
            ("/image_std", json!([1e-40, 0.224, 0.225])),
            ("/image_mean", json!([1e30, 0.5, 0.5])),
            ("/rescale_factor", json!(0)),
            ("/rescale_factor", json!(1e300)),
        ] {
            let folder = folder(kind);
            change(folder.path(), "preprocessor_config.json", place, value);
            assert!(corrupt(folder.path()).contains("do not normalize pixels"), "{kind} {place}");
        }
    }
}

/// Wherever a number stands, whatever it is: an error that is the model's, or a caption.
#[test]
fn no_number_of_a_configuration_is_believed() {
    let values = || [json!(0), json!(1), json!(-1), json!(0.5), json!(65_537), json!(u64::MAX), json!(1e300)];
    for kind in KINDS {
        let folder = folder(kind);
        for file in [CONFIG, "preprocessor_config.json", "generation_config.json"] {
            let path = folder.path().join(file);
            if !path.exists() {
                continue;
            }
            let own = read(&path);
            let places = numbers(&own, "");
            assert!(!places.is_empty(), "{file}");
            for (place, value) in places.iter().flat_map(|place| values().map(|value| (place, value))) {
                change(folder.path(), file, place, value.clone());
                match load(folder.path()).and_then(|model| caption(&model, 2)) {
                    Ok(_) | Err(Error::CorruptModel(_) | Error::UnsupportedModel(_)) => {}
                    Err(other) => panic!("{kind} {file} {place} {value}: {other:?}"),
                }
            }
            folder_support::write(&path, &own);
        }
    }
}

#[test]
fn weights_that_a_configuration_has_no_place_for_are_named() {
    for (kind, place, named) in [
        ("florence2", "/text_config/decoder_layers", "language_model.model.decoder.layers.1."),
        ("florence2-native", "/text_config/decoder_layers", "model.language_model.decoder.layers.1."),
        ("smolvlm", "/text_config/num_hidden_layers", "model.text_model.layers.1."),
        ("moondream2", "/config/text/n_layers", "model.text.blocks.1."),
    ] {
        let folder = folder(kind);
        change(folder.path(), CONFIG, place, json!(1));
        let message = corrupt(folder.path());
        assert!(message.contains(named) && message.contains("do not belong together"), "{message}");
        let recipe = models::family(folder.path()).unwrap().recipe("int8").unwrap();
        let out = folder.path().join("out");
        let packed = models::pack(folder.path(), &recipe, "test", &out, runtime::pool().unwrap(), &|| false);
        assert!(matches!(packed, Err(Error::CorruptModel(_))) && !out.exists(), "{kind}");
    }
}

#[test]
fn a_packed_file_is_not_believed_either() {
    for (kind, part, changes) in [
        (
            "florence2",
            "config",
            &[
                ("/text_config/vocab_size", json!(400 + (1u64 << 58))),
                ("/text_config/vocab_size", json!(390)),
                ("/text_config/encoder_ffn_dim", json!(32 + (1u64 << 63))),
                ("/text_config/max_position_embeddings", json!(96 + (1u64 << 58))),
                ("/vision_config/window_size", json!(100_000)),
            ][..],
        ),
        ("florence2", "prompts", &[("/0/0", json!(4_000_000_000u32))]),
        ("florence2", "generation", &[("/num_beams", json!(u64::MAX)), ("/decoder_start_token_id", json!(400))]),
        ("smolvlm", "config", &[("/text_config/vocab_size", json!(1u64 << 23))]),
        ("smolvlm", "prompt", &[("/places", json!([])), ("/fake", json!(u32::MAX)), ("/head/0", json!(100_000))]),
        ("smolvlm", "generation", &[("/num_beams", json!(0))]),
        ("moondream2", "config", &[("/config/text/vocab_size", json!(447))]),
    ] {
        let folder = folder(kind);
        let (header, data) = packed::open(&pack(folder.path()));
        let crafted = folder.path().join("crafted.safetensors");
        std::fs::write(&crafted, packed::signed(&header, &data)).unwrap();
        caption(&load(&crafted).unwrap(), 2).unwrap();
        for (place, value) in changes {
            let mut header = header.clone();
            packed::change(&mut header, part, place, value.clone());
            std::fs::write(&crafted, packed::signed(&header, &data)).unwrap();
            let message = corrupt(&crafted);
            assert!(!message.is_empty(), "{kind} {place}: {message}");
        }
    }
}

#[test]
fn a_packed_tensor_in_another_shape_is_noticed() {
    let folder = folder("florence2");
    let recipe = models::family(folder.path()).unwrap().recipe("all=nf4-64-double,decoder=int8,vision=keep").unwrap();
    let out = folder.path().join("out");
    models::pack(folder.path(), &recipe, "test", &out, runtime::pool().unwrap(), &|| false).unwrap();
    let (header, data) = packed::open(&out);
    for name in [
        // In blocks, in rows of int8, and as it was.
        "language_model.model.encoder.layers.0.fc1.weight",
        "language_model.model.decoder.layers.0.fc1.weight",
        "vision_tower.convs.1.proj.weight",
    ] {
        let mut header = header.clone();
        let shape = header[name]["shape"].as_array_mut().unwrap();
        shape.push(json!(1));
        shape.reverse();
        std::fs::write(folder.path().join("crafted"), packed::signed(&header, &data)).unwrap();
        let message = corrupt(&folder.path().join("crafted"));
        assert!(message.contains(name) && message.contains("shape"), "{message}");
    }
}

#[test]
fn names_that_a_wrapper_lengthened_are_explained() {
    for (kind, prefix, tool) in [
        ("florence2", "_orig_mod.", "torch.compile"),
        ("florence2-native", "module.", "DataParallel"),
        ("smolvlm", "base_model.model.", "peft"),
        ("moondream2", "_orig_mod.", "torch.compile"),
    ] {
        let folder = folder(kind);
        tensors(folder.path(), |all| all.iter_mut().for_each(|(name, ..)| name.insert_str(0, prefix)));
        let message = unsupported(folder.path());
        assert!(message.contains(tool) && message.contains("removeprefix"), "{message}");
    }
}

#[test]
fn other_forms_of_a_model_are_explained() {
    let folder = folder("florence2");
    let dir = folder.path();
    let weights = dir.join("model.safetensors");
    for file in ["model.safetensors", "config.json", "tokenizer.json"] {
        assert!(unsupported(&weights).contains("give the folder"), "{file}");
    }
    std::fs::rename(&weights, dir.join("pytorch_model.bin")).unwrap();
    assert!(unsupported(dir).contains("a pickle"));
    assert!(unsupported(&dir.join("pytorch_model.bin")).contains("give the folder"));
    std::fs::rename(dir.join("pytorch_model.bin"), dir.join("adapter_model.safetensors")).unwrap();
    assert!(unsupported(dir).contains("LoRA adapter"));
    std::fs::write(dir.join("adapter_config.json"), "{}").unwrap();
    std::fs::remove_file(dir.join(CONFIG)).unwrap();
    assert!(unsupported(dir).contains("LoRA adapter"));

    let folder = folder_support::folder("smolvlm");
    std::fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    assert!(matches!(load(folder.path()).map(drop), Err(Error::NotFound(_))));
    std::fs::write(folder.path().join("vocab.json"), "{}").unwrap();
    assert!(unsupported(folder.path()).contains("AutoTokenizer"));
}

#[test]
fn files_that_are_something_else_say_what_they_are() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 463221266\n";
    let page = "<!DOCTYPE html>\n<html><body>Please log in</body></html>";
    for file in ["model.safetensors", CONFIG, "tokenizer.json", "preprocessor_config.json"] {
        for (contents, said) in [(pointer, "git lfs pull"), (page, "web page")] {
            let folder = folder("florence2");
            std::fs::write(folder.path().join(file), contents).unwrap();
            let message = corrupt(folder.path());
            assert!(message.contains(said) && message.contains(file), "{message}");
            assert!(!message.contains("delete"), "{message}");
        }
    }
    // Cut off, empty.
    for length in [0, 7, 1000] {
        let folder = folder("florence2");
        let path = folder.path().join("model.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..length]).unwrap();
        let message = corrupt(folder.path());
        assert!(message.contains("get it again") && !message.contains("delete"), "{message}");
    }
}

#[test]
fn a_byte_order_mark_and_nulls_are_read_over() {
    let folder = folder("florence2");
    let expected = caption(&load(folder.path()).unwrap(), 8).unwrap();
    let path = folder.path().join(CONFIG);
    change(folder.path(), CONFIG, "/text_config/scale_embedding", Value::Null);
    change(folder.path(), CONFIG, "/text_config/length_penalty", Value::Null);
    change(folder.path(), CONFIG, "/text_config/eos_token_id", json!([2]));
    let text = std::fs::read(&path).unwrap();
    std::fs::write(&path, [b"\xEF\xBB\xBF", text.as_slice()].concat()).unwrap();
    assert_eq!(caption(&load(folder.path()).unwrap(), 8).unwrap(), expected);
}

#[test]
fn a_model_without_room_for_its_own_prompt_is_a_damaged_one() {
    for (kind, place) in
        [("smolvlm", "/text_config/max_position_embeddings"), ("moondream2", "/config/text/max_context")]
    {
        let folder = folder(kind);
        change(folder.path(), CONFIG, place, json!(20));
        let result = load(folder.path()).and_then(|model| caption(&model, 2));
        let Err(Error::CorruptModel(message)) = result else { panic!("{kind}: {result:?}") };
        assert!(message.contains("the model has 20"), "{message}");
    }
}

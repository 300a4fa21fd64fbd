//! What people give instead of a model's files: other forms of models, and files that are something else than their names say.
//! Each is called by its name, with what to do next.

use std::path::Path;

/// What a repository without `name` may have in its place, likeliest first.
pub fn in_place_of(name: &str) -> &'static [&'static str] {
    match name {
        "config.json" => &["adapter_config.json"],
        "tokenizer.json" => &["vocab.json"],
        "model.safetensors" => &[
            "pytorch_model.bin",
            "pytorch_model.bin.index.json",
            "adapter_model.safetensors",
            "onnx/decoder_model_merged.onnx",
            "onnx/model.onnx",
        ],
        _ => &[],
    }
}

/// What the file `name` says of the folder or repository `place` that has it, but not what a model needs; nothing if it says
/// nothing.
pub fn advice(place: &str, name: &str) -> Option<String> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let ending = file.rsplit('.').next().unwrap_or_default();
    Some(match (file, ending) {
        ("adapter_config.json" | "adapter_model.safetensors" | "adapter_model.bin", _) => format!(
            "{place} holds a LoRA adapter, which is a change to a model and no model. Merge it once in Python: \
             PeftModel.from_pretrained(model, \"adapter\").merge_and_unload().save_pretrained(\"merged\")"
        ),
        ("pytorch_model.bin.index.json", _) => format!(
            "{place} holds pytorch_model.bin in parts, which are pickles and can run code when they are read. Load it once \
             in Python and save it with save_pretrained(\"folder\", safe_serialization=True), or use a revision that has \
             model.safetensors"
        ),
        (_, "bin" | "pt" | "pth" | "ckpt") => format!(
            "{place} holds {file}, a pickle, which can run code when it is read. Convert it once in Python: \
             safetensors.torch.save_file(torch.load(\"{file}\", weights_only=True), \"model.safetensors\"), \
             or use a revision that has model.safetensors"
        ),
        (_, "onnx") => format!(
            "{place} holds a model for ONNX ({name}), which is not read; take the model that it was made from, with \
             model.safetensors"
        ),
        (_, "gguf") => format!(
            "{place} holds a model for llama.cpp ({file}), which is not read; take the model that it was made from, with \
             model.safetensors"
        ),
        (_, "h5" | "msgpack") => format!(
            "{place} holds weights for TensorFlow or Flax ({file}), which are not read; take a revision that has \
             model.safetensors"
        ),
        ("vocab.json" | "merges.txt", _) => format!(
            "{place} holds a tokenizer as vocab.json and merges.txt, but no tokenizer.json. Make it once in Python: \
             AutoTokenizer.from_pretrained(\"folder\").save_pretrained(\"folder\")"
        ),
        (_, "safetensors") => format!(
            "{place} has no model.safetensors, but {file}; rename it to model.safetensors if it is the whole model"
        ),
        _ => return None,
    })
}

/// What a folder holds in place of `wanted`, if it is something that is known.
pub fn in_folder(dir: &Path, wanted: &str) -> Option<String> {
    let place = dir.display().to_string();
    let known = in_place_of(wanted).iter().copied().find(|name| dir.join(name).is_file());
    if let Some(name) = known {
        return advice(&place, name);
    }
    if wanted != "model.safetensors" {
        return None;
    }
    let names = |dir: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    };
    let endings = ["safetensors", "bin", "pt", "pth", "ckpt", "onnx", "gguf", "h5", "msgpack"];
    let (own, onnx) = (names(dir), names(&dir.join("onnx")));
    endings.into_iter().find_map(|ending| {
        let is_known = |name: &&String| name.rsplit_once('.').is_some_and(|(_, own)| own == ending);
        let found = own.iter().find(is_known).cloned();
        let found = found.or_else(|| onnx.iter().find(is_known).map(|name| format!("onnx/{name}")));
        found.and_then(|name| advice(&place, &name))
    })
}

/// What a file is that begins like this, if it is none that a model can have.
pub fn disguise(bytes: &[u8]) -> Option<&'static str> {
    let begin = &bytes[..bytes.len().min(512)];
    if begin.starts_with(b"version https://git-lfs.github.com/spec/") {
        return Some("is a pointer of Git LFS and not the file itself; run `git lfs pull` in its folder");
    }
    let text = String::from_utf8_lossy(begin).trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    let is_page = ["<!doctype html", "<html", "<head", "<?xml"].into_iter().any(|tag| text.starts_with(tag));
    is_page.then_some("is a web page and not the file, as a log-in or an error page sends it; fetch it again")
}

/// What to do about a checkpoint's file that is damaged. One that a download has put into the hub's cache is fetched anew once
/// it is gone; any other is its owner's.
pub fn remedy(path: &Path) -> &'static str {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = path.parent().unwrap_or(path);
    let is_commit = |name: &str| name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit(&name(folder)) && folder.parent().is_some_and(|above| name(above) == "snapshots") {
        return "delete it and download the model again";
    }
    "get it again from where it came"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_forms_of_models_are_called_by_their_names() {
        for (files, wanted, said) in [
            (&["adapter_model.safetensors", "adapter_config.json"][..], "model.safetensors", "LoRA adapter"),
            (&["adapter_config.json"], "config.json", "merge_and_unload"),
            (&["pytorch_model.bin"], "model.safetensors", "torch.load(\"pytorch_model.bin\""),
            (&["pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin"], "model.safetensors", "in parts"),
            (&["last.ckpt"], "model.safetensors", "last.ckpt, a pickle"),
            (&["onnx/decoder_model_merged_q4.onnx"], "model.safetensors", "ONNX"),
            (&["model-Q4_K_M.gguf"], "model.safetensors", "llama.cpp"),
            (&["tf_model.h5"], "model.safetensors", "TensorFlow"),
            (&["model.fp16.safetensors"], "model.safetensors", "rename it to model.safetensors"),
            (&["vocab.json", "merges.txt"], "tokenizer.json", "AutoTokenizer"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            for file in files {
                std::fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
                std::fs::write(dir.path().join(file), "x").unwrap();
            }
            let advice = in_folder(dir.path(), wanted).unwrap();
            assert!(advice.contains(said) && advice.contains(dir.path().to_str().unwrap()), "{files:?}: {advice}");
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("README.md"), "x").unwrap();
        assert_eq!(in_folder(dir.path(), "model.safetensors"), None);
    }

    #[test]
    fn disguises_are_seen_through() {
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 463221266\n";
        assert!(disguise(pointer).unwrap().contains("git lfs pull"));
        for page in
            ["<!DOCTYPE html><html>", "\n  <html lang=en>", "\u{feff}<!doctype HTML>", "<?xml version=\"1.0\"?>"]
        {
            assert!(disguise(page.as_bytes()).unwrap().contains("web page"), "{page}");
        }
        for own in [&b"{\"model_type\": \"any\"}"[..], b"\x40\0\0\0\0\0\0\0{}", b"", b"<s>"] {
            assert_eq!(disguise(own), None);
        }
    }

    #[test]
    fn only_what_a_download_made_may_be_deleted() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let cached = format!("/cache/models--a--b/snapshots/{commit}/model.safetensors");
        assert!(remedy(Path::new(&cached)).contains("delete it"));
        for own in ["/models/mine/model.safetensors", "/snapshots/mine/model.safetensors", "model.safetensors"] {
            assert!(!remedy(Path::new(own)).contains("delete"), "{own}");
        }
    }
}

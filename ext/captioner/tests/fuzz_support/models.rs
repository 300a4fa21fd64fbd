//! What every file of a model must bear: whatever it says, an error that is the model's, or a caption.

#[path = "../folder_support/mod.rs"]
mod folder_support;

use std::cell::OnceCell;

use captioner::{Error, Result};
use folder_support::{caption, folder, load, packed, KINDS};
use serde_json::Value;
use tempfile::TempDir;

/// The files of a folder that a target changes. An input of it begins with a byte that says which file of which kind of model
/// it stands for; the rest is the file.
const CONFIGURATIONS: [&str; 4] =
    ["config.json", "preprocessor_config.json", "processor_config.json", "generation_config.json"];
const TOKENIZER: [&str; 1] = ["tokenizer.json"];
/// A packed file's data is no more than this, whatever its header says.
const MOST_DATA: usize = 1 << 20;

thread_local! {
    static FOLDERS: [OnceCell<TempDir>; KINDS.len()] = const { [const { OnceCell::new() }; KINDS.len()] };
}

/// A configuration in the place of a folder's own.
pub fn configuration(data: &[u8]) {
    replace(data, &CONFIGURATIONS);
}

/// A tokenizer in the place of a folder's own.
pub fn tokenizer(data: &[u8]) {
    replace(data, &TOKENIZER);
}

/// A packed file by its header, which is signed; its data is zeros. What is no JSON is the file itself.
pub fn packed_file(data: &[u8]) {
    with_folder(0, |folder| {
        let path = folder.path().join("packed");
        let bytes = match serde_json::from_slice::<Value>(data) {
            Ok(header) => packed::signed(&header, &vec![0; data_length(&header)]),
            Err(_) => data.to_vec(),
        };
        std::fs::write(&path, bytes).unwrap();
        judge(load(&path).and_then(|model| caption(&model, 2)));
    });
}

/// Inputs to begin with.
pub fn configuration_seeds() -> Vec<Vec<u8>> {
    seeds(&CONFIGURATIONS)
}

/// Inputs to begin with.
pub fn tokenizer_seeds() -> Vec<Vec<u8>> {
    seeds(&TOKENIZER)
}

/// Inputs to begin with: each kind of model packed in two forms.
pub fn packed_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for kind in KINDS {
        let folder = folder(kind);
        for recipe in ["all=nf4-64-double", "all=int8,embedding=keep"] {
            let (family, out) = (captioner::models::family(folder.path()).unwrap(), folder.path().join("packed"));
            captioner::models::pack(
                folder.path(),
                &family.recipe(recipe).unwrap(),
                "x",
                &out,
                captioner::runtime::pool().unwrap(),
                &|| false,
            )
            .unwrap();
            let (mut header, _) = packed::open(&out);
            // Loading does not look at the parts' checksums, which are most of the text.
            header["__metadata__"]["sums"] = "{}".into();
            seeds.push(header.to_string().into_bytes());
            std::fs::remove_file(out).unwrap();
        }
    }
    seeds
}

fn seeds(files: &[&str]) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, kind) in KINDS.into_iter().enumerate() {
        let folder = folder(kind);
        for (at, file) in files.iter().enumerate() {
            let Ok(contents) = std::fs::read(folder.path().join(file)) else { continue };
            seeds.push([&[(number * files.len() + at) as u8][..], &contents].concat());
        }
    }
    seeds
}

fn replace(data: &[u8], files: &[&str]) {
    let Some((which, contents)) = data.split_first() else { return };
    let which = usize::from(*which) % (KINDS.len() * files.len());
    with_folder(which / files.len(), |folder| {
        let path = folder.path().join(files[which % files.len()]);
        let own = std::fs::read(&path).ok();
        std::fs::write(&path, contents).unwrap();
        let outcome = load(folder.path()).and_then(|model| caption(&model, 2));
        match own {
            Some(own) => std::fs::write(&path, own).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        judge(outcome);
    });
}

fn with_folder(kind: usize, work: impl FnOnce(&TempDir)) {
    // Threads would only wait for each other.
    captioner::runtime::set_threads(1);
    FOLDERS.with(|folders| work(folders[kind].get_or_init(|| folder(KINDS[kind]))));
}

fn judge(outcome: Result<Vec<u32>>) {
    match outcome {
        Ok(_) | Err(Error::CorruptModel(_) | Error::UnsupportedModel(_)) => {}
        Err(other) => panic!("{other:?}"),
    }
}

/// Where the last tensor ends.
fn data_length(header: &Value) -> usize {
    let ends = header.as_object().into_iter().flatten().filter_map(|(_, entry)| entry["data_offsets"][1].as_u64());
    ends.max().unwrap_or(0).min(MOST_DATA as u64) as usize
}

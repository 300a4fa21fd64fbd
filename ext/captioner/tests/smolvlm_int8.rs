//! SmolVLM in 8 bits, as bitsandbytes makes and transformers saves it (`research/reference/smolvlm/int8.py`): read, packed, and
//! exported bit for bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use captioner::captioner::Run;
use captioner::image::{load_path, Limits};
use captioner::kernels::Compute;
use captioner::models::{self, Request};
use captioner::{runtime, store};
use safetensors::{Dtype, SafeTensors};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/smolvlm")
}

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap().map(|file| file.unwrap()) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// The seeded checkpoint; with `saved`, as transformers saved it after bitsandbytes.
fn checkpoint(saved: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&fixtures().join("checkpoints/standard"), folder.path());
    std::fs::copy(fixtures().join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    if saved {
        copy(&fixtures().join("int8"), folder.path());
    }
    folder
}

fn ids(path: &Path) -> Vec<u32> {
    let model = models::load(path, true, Compute::Exact).unwrap();
    let image = load_path(&fixtures().join("shapes.png"), &Limits::default()).unwrap();
    let request = Request { max_new_tokens: Some(16), ..Request::default() };
    let mut run = Run::new(&model, image, &request).unwrap();
    while !run.is_done() {
        run.step().unwrap();
    }
    run.tokens().to_vec()
}

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter();
    tensors.map(|(name, t)| (name, (t.dtype(), t.shape().to_vec(), t.data().to_vec()))).collect()
}

fn pack(source: &Path, out: &Path, recipe: &str) -> PathBuf {
    store::packed(source, out, "model", Some("seeded"), recipe, runtime::pool().unwrap(), &|| false).unwrap().path
}

#[test]
fn what_transformers_saved_answers_as_what_is_packed_here() {
    let (plain, saved, out) = (checkpoint(false), checkpoint(true), tempfile::tempdir().unwrap());
    let packed = pack(plain.path(), out.path(), "linears");
    assert_eq!(ids(saved.path()), ids(&packed));
    let kept = pack(saved.path(), out.path(), "int8");
    assert!(kept.ends_with("model@seeded-kept-1.safetensors"), "{}", kept.display());
    assert_eq!(ids(&kept), ids(saved.path()));
}

#[test]
fn what_is_exported_is_what_transformers_saves() {
    let (plain, saved, world) = (checkpoint(false), checkpoint(true), tempfile::tempdir().unwrap());
    let theirs = tensors(&saved.path().join("model.safetensors"));
    let packed = pack(plain.path(), world.path(), "linears");
    for (name, source) in [("plain", plain.path()), ("saved", saved.path()), ("packed", &packed)] {
        let out = world.path().join(name);
        models::export(source, &out).unwrap();
        let ours = tensors(&out.join("model.safetensors"));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{name}");
        for (tensor, values) in &ours {
            assert_eq!(values, &theirs[tensor], "{name}: {tensor}");
        }
        assert_eq!(ids(&out), ids(saved.path()), "{name}");
    }
}

#[test]
fn damaged_scales_are_named() {
    for (what, damage) in [("has shape", 0), ("holds inf", 1), ("has no f32 scales", 2)] {
        let folder = checkpoint(true);
        let path = folder.path().join("model.safetensors");
        let mut all = tensors(&path);
        let name = "model.connector.modality_projection.proj.SCB".to_string();
        let scales = all.get_mut(&name).unwrap();
        match damage {
            0 => *scales = (Dtype::F32, vec![1], vec![0; 4]),
            1 => scales.2[..4].copy_from_slice(&f32::INFINITY.to_le_bytes()),
            _ => drop(all.remove(&name)),
        }
        let views = all.iter().map(|(name, (dtype, shape, data))| {
            (name, safetensors::tensor::TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        safetensors::serialize_to_file(views, None, &path).unwrap();
        let error = models::load(folder.path(), true, Compute::Exact).err().unwrap().to_string();
        assert!(error.contains(what) && error.contains("modality_projection.proj"), "{error}");
    }
}

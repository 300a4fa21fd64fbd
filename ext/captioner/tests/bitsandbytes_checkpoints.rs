//! Whole checkpoints that bitsandbytes quantized: transformers' own are read, packed and captioned with, ours are what
//! transformers writes (`research/reference/quantized_import.py`).

mod florence2_support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use captioner::captioner::Run;
use captioner::image::{load_path, Limits};
use captioner::kernels::{BlockScales, Matrix, Storage};
use captioner::models::florence2::Naming;
use captioner::models::{export, Request};
use captioner::store;
use captioner::weights::packed::{Packed, RECIPE};
use captioner::weights::{Checkpoint, Source};
use captioner::{runtime, Error};
use captioner_testing as seeded;
use florence2_support::{finish, load, relative_error, until_first_logits, Cases, Golden};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;

const TOLERANCE: f64 = 1e-4;
const PARTS: [&str; 6] =
    ["", ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", ".quant_state.bitsandbytes__nf4"];

#[derive(Deserialize)]
struct Index {
    seed: u64,
    image: PathBuf,
    task: String,
    cases: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    weights: String,
    /// In whose names.
    #[serde(rename = "layout")]
    naming: String,
    ids: Vec<u32>,
    text: String,
}

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quantized/import").join(name)
}

fn shared(name: &Path) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/florence2").join(name)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn index() -> Index {
    serde_json::from_value(json(&fixture("import.json"))).unwrap()
}

fn tensors(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let owned = |view: TensorView| (view.dtype(), view.shape().to_vec(), view.data().to_vec());
    file.iter().map(|(name, view)| (name.to_string(), owned(view))).collect()
}

fn write(tensors: &Tensors, path: &Path) {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// The checkpoint before it was quantized.
fn seeded_folder(naming: Naming) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = json(&fixture("config.json"));
    seeded::write_checkpoint(&config, &seeded::Options::new(naming, index().seed), folder.path()).unwrap();
    complete(folder.path());
    folder
}

fn complete(dir: &Path) {
    std::fs::copy(shared(Path::new("tokenizer.json")), dir.join("tokenizer.json")).unwrap();
    for file in ["generation_config.json", "preprocessor_config.json"] {
        std::fs::copy(fixture(file), dir.join(file)).unwrap();
    }
}

/// What transformers saved, in its own naming or under Microsoft's names.
fn saved_folder(weights: &str, naming: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    complete(folder.path());
    let mut config = json(&fixture(&format!("{weights}.config.json")));
    let mut saved = tensors(&fixture(&format!("{weights}.safetensors")));
    if naming == "microsoft" {
        // Microsoft's naming keeps the settings of a generation in the text configuration.
        let settings = json(&fixture("generation_config.json"));
        config["text_config"].as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let mut renamed = Tensors::new();
        for tensor in seeded::tensors(&config, 0.0).unwrap() {
            for part in PARTS {
                if let Some(tensors) = saved.remove(&format!("{}{part}", Naming::Native.name(&tensor.name))) {
                    renamed.insert(format!("{}{part}", tensor.name), tensors);
                }
            }
        }
        assert!(saved.is_empty(), "{:?}", saved.keys());
        renamed.retain(|name, _| !name.starts_with("image_projection"));
        let mut original = tensors(&seeded_folder(Naming::Microsoft).path().join("model.safetensors"));
        renamed.insert("image_projection".into(), original.remove("image_projection").unwrap());
        saved = renamed;
    }
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    write(&saved, &folder.path().join("model.safetensors"));
    folder
}

fn caption(path: &Path) -> (Vec<u32>, String) {
    let (model, index) = (load(path), index());
    let image = load_path(&shared(&index.image), &Limits::default()).unwrap();
    let request = Request { task: Some(index.task), ..Request::default() };
    let mut run = Run::new(&model, image, &request).unwrap();
    finish(&mut run);
    (run.tokens().to_vec(), model.text(run.tokens()))
}

/// The bytes of a 4-bit matrix.
fn blocks(matrix: &Matrix) -> Option<Vec<Vec<u8>>> {
    let Storage::Blocks { codes, scales, .. } = matrix.storage() else { return None };
    let own = |buffer: &captioner::kernels::Buffer| buffer.as_slice().to_vec();
    Some(match scales {
        BlockScales::Plain(_, values) => vec![own(codes), own(values)],
        BlockScales::Double { q, absmax2, offset, map } => {
            vec![own(codes), own(q), own(absmax2), offset.to_le_bytes().to_vec(), own(map)]
        }
    })
}

#[test]
fn what_transformers_saved_captions_as_the_reference() {
    let (cases, index) = (Cases::read(), index());
    let golden = Golden(std::fs::read(fixture("stages.safetensors")).unwrap());
    let image = load_path(&shared(&index.image), &Limits::default()).unwrap();
    let mut worst = 0f64;
    for case in &index.cases {
        let name = format!("{}.{}", case.weights, case.naming);
        let folder = saved_folder(&case.weights, &case.naming);
        assert_eq!(caption(folder.path()), (case.ids.clone(), case.text.clone()), "{name}");
        let model = load(folder.path());
        let request = Request { task: Some(index.task.clone()), ..Request::default() };
        for (stage, values) in until_first_logits(&mut Run::new(&model, image.clone(), &request).unwrap()) {
            if ["image_features", "encoder", "logits"].contains(&stage.as_str()) {
                let error = relative_error(&cases, &golden, &format!("{name}.{stage}"), &values);
                assert!(error <= TOLERANCE, "{name}: {stage} is off by {error:.2e}");
                worst = worst.max(error);
            }
        }
    }
    println!("worst relative error {worst:.2e}");
    assert_eq!(index.cases.len(), 4);
}

#[test]
fn packing_keeps_it_bit_for_bit_by_its_own_recipe() {
    for case in index().cases {
        let (folder, out) = (saved_folder(&case.weights, &case.naming), tempfile::tempdir().unwrap());
        let pack = |recipe| {
            store::packed(folder.path(), out.path(), "m", Some("r"), recipe, runtime::pool().unwrap(), &|| false)
                .unwrap()
        };
        let ready = pack("compact");
        assert_eq!(ready.path.file_name().unwrap(), "m@r-kept-1.safetensors");
        for recipe in ["compact", "balanced"] {
            assert_eq!(pack(recipe), store::Prepared { path: ready.path.clone(), made: None });
        }
        let naming: Naming = case.naming.parse().unwrap();
        let checkpoint = Checkpoint::open(folder.path(), true).unwrap().named(Box::new(naming));
        let packed = Packed::open(&ready.path, true).unwrap();
        assert_eq!(packed.metadata(RECIPE).unwrap(), "kept");
        packed.check().unwrap();
        let mut count = 0;
        for tensor in seeded::tensors(&json(&fixture("config.json")), 0.0).unwrap() {
            if !packed.contains(&tensor.name) {
                continue;
            }
            let mut shape = tensor.shape;
            if tensor.name == "image_projection" {
                shape.reverse();
            }
            let theirs = checkpoint.matrix(&tensor.name, &shape).unwrap();
            let ours = packed.matrix(&tensor.name, &shape).unwrap();
            assert_eq!(ours.to_vec(), theirs.to_vec(), "{}", tensor.name);
            assert_eq!(blocks(&ours), blocks(&theirs), "{}", tensor.name);
            count += usize::from(blocks(&ours).is_some());
        }
        assert_eq!(count, if case.naming == "native" { 33 } else { 32 });
        assert_eq!(caption(&ready.path), (case.ids, case.text));
    }
}

/// Every tensor of an exported folder is the one that transformers saved.
fn assert_same(out: &Path, weights: &str) {
    let (ours, theirs) =
        (tensors(&out.join("model.safetensors")), tensors(&fixture(&format!("{weights}.safetensors"))));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (name, ours) in &ours {
        let theirs = &theirs[name];
        if name.contains("quant_state") {
            let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
            assert_eq!(json(&ours.2), json(&theirs.2), "{name}");
        } else {
            assert_eq!(ours, theirs, "{name}");
        }
    }
    let (ours, theirs) = (json(&out.join("config.json")), json(&fixture(&format!("{weights}.config.json"))));
    for key in ["load_in_4bit", "quant_method", "bnb_4bit_quant_type", "bnb_4bit_use_double_quant"] {
        assert_eq!(ours["quantization_config"][key], theirs["quantization_config"][key], "{key}");
    }
}

#[test]
fn what_we_export_is_what_transformers_saves() {
    let world = tempfile::tempdir().unwrap();
    for weights in ["double", "plain"] {
        let out = world.path().join(weights);
        export(saved_folder(weights, "native").path(), &out).unwrap();
        assert_same(&out, weights);
        let case = index().cases.into_iter().find(|c| c.weights == weights && c.naming == "native").unwrap();
        assert_eq!(caption(&out), (case.ids, case.text), "{weights}");
    }
    for naming in [Naming::Native, Naming::Microsoft] {
        let out = world.path().join(format!("{naming:?}"));
        export(seeded_folder(naming).path(), &out).unwrap();
        assert_same(&out, "double");
        assert!(out.join("tokenizer.json").exists() && out.join("preprocessor_config.json").exists());
        assert_eq!(json(&out.join("config.json"))["image_token_id"], 3);
    }
}

#[test]
fn a_packed_file_exports_its_blocks() {
    let (source, world) = (seeded_folder(Naming::Microsoft), tempfile::tempdir().unwrap());
    let pack =
        store::packed(source.path(), world.path(), "m", Some("r"), "compact", runtime::pool().unwrap(), &|| false)
            .unwrap();
    let out = world.path().join("out");
    export(&pack.path, &out).unwrap();
    let (ours, theirs) = (tensors(&out.join("model.safetensors")), tensors(&fixture("double.safetensors")));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    // Linears are quantized the same; what only the packed file quantizes comes out dequantized.
    let different = |name: &&String| ours[*name] != theirs[*name] && !name.contains("quant_state");
    let names: Vec<_> = ours.keys().filter(different).collect();
    let dequantized = ["shared.weight", "embed_positions.weight", "_embeddings.weight", ".conv.weight"];
    assert!(names.iter().all(|name| dequantized.iter().any(|end| name.ends_with(end))), "{names:?}");
    assert_eq!(names.len(), 7, "{names:?}");
    assert_eq!(ours["model.language_model.shared.weight"].0, Dtype::F16);
}

#[test]
fn an_export_appears_whole_or_not_at_all() {
    let (source, world) = (seeded_folder(Naming::Native), tempfile::tempdir().unwrap());
    let left = || std::fs::read_dir(world.path()).unwrap().count();
    let taken = world.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    export(source.path(), &taken).unwrap();
    assert!(matches!(export(source.path(), &taken), Err(Error::InvalidArgument(_))));
    let mut config = json(&source.path().join("config.json"));
    config["vision_config"]["image_feature_source"] = serde_json::json!(["last_frame"]);
    std::fs::write(source.path().join("config.json"), config.to_string()).unwrap();
    let other = world.path().join("other");
    assert!(matches!(export(source.path(), &other), Err(Error::UnsupportedModel(_))));
    assert!(matches!(export(&world.path().join("nothing"), &other), Err(Error::NotFound(_))));
    assert_eq!(left(), 1);
}

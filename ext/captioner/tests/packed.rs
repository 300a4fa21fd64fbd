//! Packed files: what is in them, that they work alone, and that a damaged one is noticed and made anew.

mod florence2_support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use captioner::kernels::{Compute, Storage};
use captioner::models::{self, Model};
use captioner::runtime;
use captioner::store::{self, Prepared};
use captioner::weights::packed::{Packed, Recipe, RECIPE, RULES};
use captioner::weights::{Checkpoint, Source};
use captioner::Error;
use florence2_support::{finish, load, Case, Cases};

struct World {
    cases: Cases,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { cases: Cases::read(), folder: tempfile::tempdir().unwrap() }
    }

    fn case(&self) -> &Case {
        &self.cases.cases[0]
    }

    fn pack(&self, recipe: &str) -> Prepared {
        let dir = self.cases.checkpoint(self.case());
        store::packed(&dir, self.folder.path(), "model", Some("abc"), recipe, runtime::pool().unwrap(), &|| false)
            .unwrap()
    }

    fn caption(&self, model: &Arc<dyn Model>) -> Vec<u32> {
        let mut run = self.case().start(model, &self.cases);
        finish(&mut run);
        run.tokens().to_vec()
    }
}

/// Every value of a matrix of the checkpoint as the packed file has it.
fn both(dir: &Path, packed: &Path, name: &str, shape: &[usize]) -> (Vec<f32>, Vec<f32>) {
    let checkpoint = Checkpoint::open(dir, true).unwrap().matrix(name, shape).unwrap().to_vec();
    (checkpoint, Packed::open(packed, true).unwrap().matrix(name, shape).unwrap().to_vec())
}

fn relative(a: &[f32], b: &[f32]) -> f64 {
    let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut a.iter().copied())
}

#[test]
fn a_packed_file_works_alone() {
    let world = World::new();
    let Prepared { path, made } = world.pack("compact");
    assert!(made.unwrap().contains("not there"));
    assert_eq!(path.file_name().unwrap(), "model@abc-compact-1.safetensors");
    assert!(std::fs::metadata(&path).unwrap().permissions().readonly());
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy.safetensors");
    std::fs::copy(&path, &copy).unwrap();
    let expected = world.caption(&load(&path));
    drop(world.folder);
    let world = World { folder: elsewhere, cases: world.cases };
    assert_eq!(world.caption(&load(&copy)), expected);
    assert_eq!(world.caption(&models::load(&copy, false, Compute::Exact).unwrap()), expected, "read instead of mapped");
    assert!(world.pack("compact").made.is_some());
    assert_eq!(world.pack("compact").made, None, "the second time it is found");
}

#[test]
fn recipes_store_what_they_say() {
    let world = World::new();
    let dir = world.cases.checkpoint(world.case());
    let (embedding, shape) = ("language_model.model.shared.weight", [1424, 64]);
    let convolution = ("vision_tower.convs.1.proj.weight", [32, 16, 3, 3]);
    let linear = ("language_model.model.encoder.layers.0.fc1.weight", [128, 64]);
    let decoder = ("language_model.model.decoder.layers.0.fc1.weight", [128, 64]);
    for (recipe, embedding_error, convolution_error, decoder_error) in [
        ("compact", 0.15, 0.15, 0.15),
        ("mixed", 0.15, 0.01, 0.15),
        ("precise", 0.01, 0.01, 0.01),
        ("balanced", 0.01, 0.0, 0.15),
    ] {
        let path = world.pack(recipe).path;
        let packed = Packed::open(&path, true).unwrap();
        packed.check().unwrap();
        for (name, shape, bound) in [
            (embedding, &shape[..], embedding_error),
            (convolution.0, &convolution.1[..], convolution_error),
            (linear.0, &linear.1[..], 0.15),
            (decoder.0, &decoder.1[..], decoder_error),
        ] {
            let (exact, stored) = both(&dir, &path, name, shape);
            let error = relative(&exact, &stored);
            assert!(error <= bound, "{recipe}: {name} is off by {error}");
        }
        let is_blocks = |name: &str, shape: &[usize]| {
            matches!(packed.matrix(name, shape).unwrap().storage(), Storage::Blocks { .. })
        };
        assert_eq!(is_blocks(embedding, &shape), embedding_error > 0.01);
        assert_eq!(is_blocks(decoder.0, &decoder.1), decoder_error > 0.01);
        assert!(is_blocks(linear.0, &linear.1));
        let norm = "language_model.model.encoder.layernorm_embedding.weight";
        let (exact, stored) = both(&dir, &path, norm, &[64]);
        assert_eq!(exact, stored);
    }
}

#[test]
fn recipes_by_rules_have_files_of_their_own() {
    let world = World::new();
    let texts = [
        "all=nf4-64-double",
        "all=nf4-64-double-fitted",
        "all=int4-32-plain",
        "vision=nf4-128-double,convolution=int8",
        "encoder=int8",
    ];
    let named = ["compact", "mixed", "balanced", "precise", "int8"];
    let mut places = named.map(|recipe| world.pack(recipe).path).to_vec();
    for text in texts {
        let recipe: Recipe = text.parse().unwrap();
        let Prepared { path, made } = world.pack(text);
        assert!(made.is_some(), "{text} shares a file");
        let packed = Packed::open(&path, true).unwrap();
        packed.check().unwrap();
        assert_eq!(packed.metadata(RECIPE).unwrap(), text);
        assert_eq!(packed.metadata(RULES).unwrap().parse::<Recipe>().unwrap(), recipe);
        assert_eq!(world.pack(text).made, None, "the second time it is found");
        world.caption(&load(&path));
        places.push(path);
    }
    places.sort();
    places.dedup();
    assert_eq!(places.len(), named.len() + texts.len());
}

#[test]
fn fitted_scales_are_closer_and_cost_nothing() {
    let world = World::new();
    let dir = world.cases.checkpoint(world.case());
    let plain = world.pack("compact").path;
    let fitted = world.pack("all=nf4-64-double-fitted").path;
    let data = |path: &Path| Packed::open(path, true).unwrap().buffers()[0].len();
    assert_eq!(data(&plain), data(&fitted));
    for (name, shape) in [
        ("language_model.model.shared.weight", &[1424, 64][..]),
        ("vision_tower.convs.1.proj.weight", &[32, 16, 3, 3]),
        ("language_model.model.encoder.layers.0.fc1.weight", &[128, 64]),
    ] {
        let [plain, fitted] = [&plain, &fitted].map(|path| {
            let (exact, stored) = both(&dir, path, name, shape);
            relative(&exact, &stored)
        });
        assert!(fitted < plain, "{name}: {fitted} instead of {plain}");
    }
}

#[test]
fn every_kind_of_damage_is_noticed() {
    let world = World::new();
    let path = world.pack("compact").path;
    let whole = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let place = world.folder.path().join("damaged.safetensors");
    let write = |bytes: &[u8]| std::fs::write(&place, bytes).unwrap();

    // A changed header or length is noticed when it is opened, a changed value by the check.
    for at in [9, header / 3, header / 2, header - 80] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        write(&bytes);
        assert!(matches!(Packed::open(&place, true), Err(Error::CorruptModel(_))), "byte {at} of the header");
    }
    for len in [0, 7, header, whole.len() - 1] {
        write(&whole[..len]);
        assert!(matches!(Packed::open(&place, true), Err(Error::CorruptModel(_))), "cut to {len} bytes");
    }
    let mut bytes = whole.clone();
    bytes[header + 1000] ^= 1;
    write(&bytes);
    let error = Packed::open(&place, true).unwrap().check().unwrap_err();
    assert!(error.to_string().contains("is not what was written"), "{error}");
}

#[test]
fn a_damaged_file_is_made_anew_and_says_why() {
    let world = World::new();
    let path = world.pack("compact").path;
    let whole = std::fs::read(&path).unwrap();
    for (bytes, why) in [(&whole[..100], "damaged"), (&b"something else"[..], "damaged")] {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
        assert!(world.pack("compact").made.unwrap().contains(why));
        assert_eq!(std::fs::read(&path).unwrap(), whole, "the same bytes as before");
    }
    let leftovers: Vec<PathBuf> =
        std::fs::read_dir(world.folder.path()).unwrap().map(|f| f.unwrap().path()).filter(|f| *f != path).collect();
    assert!(leftovers.iter().all(|file| file.extension().unwrap() == "lock"), "{leftovers:?}");
}

#[test]
fn an_interrupted_pack_leaves_nothing() {
    let world = World::new();
    let dir = world.cases.checkpoint(world.case());
    let asked = std::cell::Cell::new(0);
    let stop = || asked.replace(asked.get() + 1) == 40;
    let result =
        store::packed(&dir, world.folder.path(), "model", Some("abc"), "compact", runtime::pool().unwrap(), &stop);
    assert!(matches!(result, Err(Error::Interrupted)));
    let files: Vec<_> = std::fs::read_dir(world.folder.path()).unwrap().map(|f| f.unwrap().path()).collect();
    assert!(files.iter().all(|file| file.extension().unwrap() == "lock"), "{files:?}");
}

#[test]
fn whoever_comes_while_a_model_is_packed_gets_that_file() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/Florence-2-tiny");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    for late in 0..8 {
        let folder = tempfile::tempdir().unwrap();
        let pack = || store::packed(&dir, folder.path(), "tiny", Some("abc"), "mixed", &pool, &|| false).unwrap();
        let made = std::thread::scope(|scope| {
            let first = scope.spawn(pack);
            std::thread::sleep(Duration::from_millis(8 * late));
            [pack(), first.join().unwrap()].map(|ready| ready.made.is_some())
        });
        assert!(made[0] != made[1], "{made:?}");
    }
}

/// A copy of the checkpoint that may be changed, and its weights' file.
fn copied(world: &World) -> (tempfile::TempDir, PathBuf) {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(world.cases.checkpoint(world.case())).unwrap().flatten() {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let weights = copy.path().join("model.safetensors");
    let mut permissions = std::fs::metadata(&weights).unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false)]
    permissions.set_readonly(false);
    std::fs::set_permissions(&weights, permissions).unwrap();
    (copy, weights)
}

/// Moves the values of one tensor a little, as training does; length and header stay.
fn train(weights: &Path, tensor: usize) {
    let mut bytes = std::fs::read(weights).unwrap();
    let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + size]).unwrap();
    let mut ranges: Vec<(u64, u64)> = header
        .as_object()
        .unwrap()
        .values()
        .filter_map(|entry| Some((entry["data_offsets"][0].as_u64()?, entry["data_offsets"][1].as_u64()?)))
        .collect();
    ranges.sort_unstable();
    let (from, to) = ranges[tensor % ranges.len()];
    bytes[8 + size..][from as usize..to as usize].iter_mut().step_by(2).for_each(|byte| *byte ^= 1);
    std::fs::write(weights, bytes).unwrap();
}

#[test]
fn a_checkpoint_is_known_by_its_content_whatever_its_dates() {
    let world = World::new();
    let (copy, weights) = copied(&world);
    let pack = |dir: &Path| {
        store::packed(dir, world.folder.path(), "model", None, "mixed", runtime::pool().unwrap(), &|| false).unwrap()
    };
    let first = pack(copy.path());
    assert!(first.made.is_some());
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(315_532_800);
    for file in std::fs::read_dir(copy.path()).unwrap().flatten() {
        std::fs::File::options().read(true).open(file.path()).unwrap().set_modified(old).unwrap();
    }
    assert_eq!(pack(copy.path()), Prepared { path: first.path.clone(), made: None }, "dates say nothing");
    let (elsewhere, _) = copied(&world);
    assert_eq!(pack(elsewhere.path()).path, first.path, "nor does the folder");
    let mut paths = vec![first.path];
    for tensor in [0, 7, 1 << 20] {
        train(&weights, tensor);
        let next = pack(copy.path());
        assert!(next.made.is_some(), "tensor {tensor} has other values");
        paths.push(next.path);
    }
    std::fs::write(copy.path().join("generation_config.json"), r#"{"num_beams": 5}"#).unwrap();
    paths.push(pack(copy.path()).path);
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 5);
}

#[test]
fn files_of_earlier_states_of_a_checkpoint_are_named() {
    let world = World::new();
    let (copy, weights) = copied(&world);
    let pack = |name: &str, recipe: &str| {
        store::packed(copy.path(), world.folder.path(), name, None, recipe, runtime::pool().unwrap(), &|| false)
            .unwrap()
            .path
    };
    let outdated = |recipe: &str| store::outdated(copy.path(), world.folder.path(), "model", None, recipe).unwrap();
    let (mixed, _, _) = (pack("model", "mixed"), pack("model", "int8"), pack("model-2", "mixed"));
    assert!(outdated("mixed").is_empty() && outdated("int8").is_empty());
    let other_format = world.folder.path().join("model@abc-mixed-0.safetensors");
    std::fs::write(&other_format, "").unwrap();
    train(&weights, 0);
    let mut expected = vec![mixed, other_format];
    expected.sort();
    assert_eq!(outdated("mixed"), expected);
    pack("model", "mixed");
    assert_eq!(outdated("mixed"), expected, "the new one is not among them");
    let of = |revision: &str| {
        store::outdated(copy.path(), world.folder.path(), "model", Some(revision), "mixed").unwrap().len()
    };
    assert_eq!((of("abc"), of("main-2")), (3, 3), "those of another commit are");
}

#[test]
fn what_another_folder_was_packed_into_is_not_outdated() {
    let world = World::new();
    let ((ours, weights), (theirs, their_weights)) = (copied(&world), copied(&world));
    train(&their_weights, 0);
    let pack = |dir: &Path, revision| {
        store::packed(dir, world.folder.path(), "model", revision, "mixed", runtime::pool().unwrap(), &|| false)
            .unwrap()
            .path
    };
    let outdated = || store::outdated(ours.path(), world.folder.path(), "model", None, "mixed").unwrap();
    let (first, other) = (pack(ours.path(), None), pack(theirs.path(), None));
    assert!(outdated().is_empty());
    train(&weights, 1);
    assert_eq!(outdated(), std::slice::from_ref(&first), "our own earlier state, and not theirs");
    train(&their_weights, 1);
    assert_eq!(outdated().len(), 2, "their earlier state, which nobody has");
    train(&their_weights, 1);
    assert_eq!(outdated(), std::slice::from_ref(&first), "theirs is what it was");
    drop(theirs);
    assert!(outdated().contains(&other), "the folder is gone");
    let commit = pack(ours.path(), Some("abc"));
    assert!(outdated().contains(&commit), "a commit's folder says nothing");
}

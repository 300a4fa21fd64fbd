//! From a folder or a packed file to a model, and from a folder to a packed file.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::family::Family;
use super::files::parse_json;
use super::model::Model;
use super::parts::Parts;
use super::FAMILIES;
use crate::kernels::{Buffer, Compute, Isa, Matrix};
use crate::runtime::ThreadPool;
use crate::weights::packed::{Contents, Form, Packed, Recipe, Writer, CONTENTS, IDENTITY, RECIPE, RULES};
use crate::weights::{Checkpoint, Scope, Source};
use crate::{foreign, Error, Result};

/// The configuration's name in a folder (with `.json`) and among a packed file's parts.
const CONFIG: &str = "config";

/// Loads the checkpoint in the folder `path`, or the packed file `path`; `map` maps its weights instead of reading them into
/// memory, `compute` says how products with them are computed.
///
/// # Errors
/// `NotFound`, `UnsupportedModel` or `CorruptModel`, with the file at fault; `InvalidArgument` if the environment asks for
/// instructions that this processor does not have.
pub fn load(path: &Path, map: bool, compute: Compute) -> Result<Arc<dyn Model>> {
    Isa::check()?;
    if path.is_file() {
        let packed = Packed::open(path, map)?;
        let built = (family(path)?.build)(&Parts::of(&packed), Scope::root(&packed, compute));
        return built.map_err(|error| located(error, path));
    }
    let (family, checkpoint, parts) = open(path, map)?;
    let built = (family.build)(&parts, Scope::root(&checkpoint, compute));
    let model = built.map_err(|error| located(error, path))?;
    checkpoint.check_use(family.spare)?;
    Ok(model)
}

/// The error with the model's place in front, where it does not say it already.
fn located(error: Error, path: &Path) -> Error {
    match &error {
        Error::CorruptModel(what) | Error::UnsupportedModel(what) if what.contains(&path.display().to_string()) => {
            error
        }
        _ => error.within(path),
    }
}

/// The family of the checkpoint in the folder `path`, or of the packed file `path`. Reads the configuration only.
///
/// # Errors
/// `UnsupportedModel` for another family's, and those of reading it.
pub fn family(path: &Path) -> Result<&'static Family> {
    let (place, text) = if path.is_file() {
        (path.to_path_buf(), Packed::open(path, true)?.metadata(CONFIG)?.as_bytes().to_vec())
    } else {
        let config = path.join("config.json");
        let text = std::fs::read(&config).map_err(|error| match foreign::in_folder(path, "config.json") {
            Some(advice) if error.kind() == ErrorKind::NotFound => Error::UnsupportedModel(advice),
            _ => Error::reading(&config, &error),
        })?;
        (config, text)
    };
    let config: Value = parse_json(&place, &text)?;
    let kind = config["model_type"].as_str().unwrap_or_default();
    FAMILIES.iter().copied().find(|family| family.model_types.contains(&kind)).ok_or_else(|| {
        let known: Vec<&str> = FAMILIES.iter().flat_map(|family| family.model_types).copied().collect();
        Error::UnsupportedModel(format!(
            "{} describes a model of type {}; this version reads {}",
            place.display(),
            config["model_type"],
            known.join(", ")
        ))
    })
}

/// A folder's checkpoint under canonical names, and what is beside it.
pub(super) fn open(dir: &Path, map: bool) -> Result<(&'static Family, Checkpoint, Parts)> {
    let family = family(dir)?;
    let checkpoint = Checkpoint::open(dir, map)?;
    let tensors = checkpoint.tensors();
    let names = (family.names)(&tensors).ok_or_else(|| {
        let types = family.model_types.join(" or ");
        let found = prefixed(family, &tensors).unwrap_or_else(|| format!("are not those of a {types} model"));
        Error::UnsupportedModel(format!("the weights in {} {found}", dir.display()))
    })?;
    let parts = (family.read)(dir, &tensors).map_err(|error| located(error, dir))?;
    Ok((family, checkpoint.named(names), parts))
}

/// What training tools put in front of every tensor's name, and who does.
const WRAPPERS: [(&str, &str); 3] =
    [("_orig_mod.", "torch.compile"), ("module.", "DataParallel"), ("base_model.model.", "peft")];

/// What is said of a family's weights under names that a wrapper of the model has lengthened.
fn prefixed(family: &Family, tensors: &[&str]) -> Option<String> {
    let (prefix, tool) = WRAPPERS.into_iter().find(|(prefix, _)| {
        let bare: Option<Vec<&str>> = tensors.iter().map(|name| name.strip_prefix(prefix)).collect();
        bare.is_some_and(|bare| (family.names)(&bare).is_some())
    })?;
    Some(format!(
        "have names that begin with {prefix:?}, which {tool} adds. Save the model that it wraps, or rename them once in \
         Python: {{name.removeprefix(\"{prefix}\"): tensor for name, tensor in tensors.items()}}"
    ))
}

/// The recipe by which the checkpoint in `dir` is packed: the one that was asked for, or its own if it is quantized already.
///
/// # Errors
/// Those of opening the checkpoint.
pub fn own_recipe(dir: &Path, asked: &Recipe) -> Result<Recipe> {
    Ok(if Checkpoint::open(dir, true)?.is_quantized() { Recipe::kept() } else { asked.clone() })
}

/// Packs the checkpoint in `dir` into the file `out` by `recipe`. `identity` says which checkpoint it is; tensors are quantized on
/// `pool`, one after the other, and `stop` is asked in between. Those that are quantized already stay as they are.
///
/// # Errors
/// Those of loading the checkpoint, `ModelUnavailable` if the file cannot be written, and `Interrupted`.
pub fn pack(
    dir: &Path,
    recipe: &Recipe,
    identity: &str,
    out: &Path,
    pool: &ThreadPool,
    stop: &dyn Fn() -> bool,
) -> Result<()> {
    let (family, checkpoint, parts) = open(dir, true)?;
    // Loading the model is what says which tensors it has, and checks their shapes.
    let requests = requests(family, &parts, &checkpoint)?;
    checkpoint.check_use(family.spare)?;
    let form = |request: &Request| request.form(recipe, family);

    let mut contents = Contents::default();
    contents.describe(IDENTITY, identity);
    contents.describe(CONTENTS.0, CONTENTS.1);
    contents.describe(RECIPE, recipe.name());
    contents.describe(RULES, recipe.rules());
    for (name, text) in parts.texts() {
        contents.describe(name, text);
    }
    let blobs = parts.blobs()?;
    for (name, blob) in &blobs {
        let count = blob.bytes.len() * 8 / blob.dtype.bitsize();
        contents.declare(name, blob.dtype, &[count]);
    }
    for request in &requests {
        let matrix = checkpoint.matrix(&request.name, &request.shape)?;
        contents.declare_tensor(&request.name, &request.shape, form(request), matrix.storage());
    }

    let mut writer = Writer::create(out, contents, pool)?;
    for (name, blob) in &blobs {
        writer.write(name, blob.bytes.as_slice())?;
    }
    for request in &requests {
        if stop() {
            return Err(Error::Interrupted);
        }
        let matrix = checkpoint.matrix(&request.name, &request.shape)?;
        writer.write_tensor(&request.name, form(request), &matrix)?;
        matrix.release_pages();
    }
    writer.finish()
}

/// The tensors that a model is built from.
pub(super) fn requests(family: &Family, parts: &Parts, source: &dyn Source) -> Result<Vec<Request>> {
    let recorder = Recorder { source, requests: RefCell::default() };
    (family.build)(parts, Scope::root(&recorder, Compute::Exact))?;
    Ok(recorder.requests.into_inner())
}

/// A tensor that a model has asked for.
pub(super) struct Request {
    pub name: String,
    /// `[out, in, ...]`
    pub shape: Vec<usize>,
    /// Or a vector or a depthwise kernel, which no recipe is about.
    pub is_matrix: bool,
}

impl Request {
    fn form(&self, recipe: &Recipe, family: &Family) -> Form {
        if self.is_matrix {
            recipe.form(&self.name, &self.shape, (family.part)(&self.name))
        } else {
            Form::Kept
        }
    }
}

/// A source that writes down what is asked of it.
struct Recorder<'a> {
    source: &'a dyn Source,
    requests: RefCell<Vec<Request>>,
}

impl Recorder<'_> {
    fn record(&self, name: &str, shape: &[usize], is_matrix: bool) {
        let mut requests = self.requests.borrow_mut();
        if !requests.iter().any(|request| request.name == name) {
            requests.push(Request { name: name.into(), shape: shape.into(), is_matrix });
        }
    }
}

impl Source for Recorder<'_> {
    fn contains(&self, name: &str) -> bool {
        self.source.contains(name)
    }

    fn matrix(&self, name: &str, shape: &[usize]) -> Result<Matrix> {
        self.record(name, shape, true);
        self.source.matrix(name, shape)
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        self.record(name, shape, false);
        self.source.tensor(name, shape)
    }

    fn nonzero(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>> {
        let values = self.source.nonzero(name, shape)?;
        if values.is_some() {
            self.record(name, shape, false);
        }
        Ok(values)
    }

    fn buffers(&self) -> Vec<Buffer> {
        self.source.buffers()
    }
}

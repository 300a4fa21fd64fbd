//! From a checkpoint folder to a packed file, and from a packed file to a model.

use std::cell::RefCell;
use std::path::Path;

use safetensors::Dtype;

use super::config::{read_json, Config};
use super::processor::{ImageConfig, Processor};
use super::vocabulary::Vocabulary;
use super::Florence2;
use crate::generate::Settings;
use crate::kernels::{Buffer, Compute, Matrix};
use crate::weights::packed::{Contents, Form, Packed, Recipe, Writer, IDENTITY, RECIPE, RULES};
use crate::weights::{Checkpoint, Layout, Source};
use crate::{Error, Result};

/// The parameter that Microsoft's layout stores as `[in, out]`.
const PROJECTION: &str = "image_projection";

/// The recipe by which the checkpoint in `dir` is packed: the one that was asked for, or its own if bitsandbytes quantized it.
///
/// # Errors
/// Those of opening the checkpoint.
pub fn own_recipe(dir: &Path, asked: &Recipe) -> Result<Recipe> {
    Ok(if Checkpoint::open(dir, true)?.is_quantized() { Recipe::linears() } else { asked.clone() })
}

/// Packs the checkpoint in `dir` into the file `out` by `recipe`, tensor by tensor. `identity` says which checkpoint it is;
/// `stop` is asked between tensors. Tensors that are 4-bit already stay as they are.
///
/// # Errors
/// Those of loading the checkpoint, `Download` if the file cannot be written, and `Interrupted`.
pub fn pack(dir: &Path, recipe: &Recipe, identity: &str, out: &Path, stop: &dyn Fn() -> bool) -> Result<()> {
    let checkpoint = Checkpoint::open(dir, true)?;
    let recorder = Recorder { checkpoint: &checkpoint, requests: RefCell::default() };
    // Loading the model is what says which tensors it has, and checks their shapes.
    let model = Florence2::load_folder(dir, &recorder, Compute::Exact)?;
    let requests = recorder.requests.into_inner();

    let (image, vocabulary, prompts) = model.processor.parts();
    let config: serde_json::Value = read_json(&dir.join("config.json"))?;
    let json = |value: serde_json::Result<String>| value.map_err(|error| Error::Internal(error.to_string()));
    let mut contents = Contents::default();
    contents.describe(IDENTITY, identity);
    contents.describe(RECIPE, recipe.name());
    contents.describe(RULES, recipe.rules());
    contents.describe("config", config.to_string());
    contents.describe("generation", json(serde_json::to_string(&model.settings))?);
    contents.describe("image", json(serde_json::to_string(image))?);
    contents.describe("prompts", json(serde_json::to_string(prompts))?);
    let (bytes, ends) = vocabulary.parts();
    contents.declare("vocabulary.bytes", Dtype::U8, &[bytes.len()]);
    contents.declare("vocabulary.ends", Dtype::U32, &[ends.len()]);
    for request in &requests {
        let (matrix, shape) = request.read(&checkpoint)?;
        contents.declare_tensor(&request.name, &shape, request.form(recipe), matrix.storage());
    }

    let mut writer = Writer::create(out, contents)?;
    writer.write("vocabulary.bytes", bytes)?;
    writer.write("vocabulary.ends", &ends.iter().flat_map(|end| end.to_le_bytes()).collect::<Vec<_>>())?;
    for request in &requests {
        if stop() {
            return Err(Error::Interrupted);
        }
        let (matrix, _) = request.read(&checkpoint)?;
        writer.write_tensor(&request.name, request.form(recipe), &matrix)?;
        matrix.release_pages();
    }
    writer.finish()
}

/// The model in a packed file.
pub(super) fn load(packed: &Packed, compute: Compute) -> Result<Florence2> {
    let damaged = |error: serde_json::Error| Error::CorruptModel(format!("a packed file's metadata: {error}"));
    let config = Config::from_json(packed.metadata("config")?)?;
    let settings: Settings = serde_json::from_str(packed.metadata("generation")?).map_err(damaged)?;
    let image: ImageConfig = serde_json::from_str(packed.metadata("image")?).map_err(damaged)?;
    let prompts = serde_json::from_str(packed.metadata("prompts")?).map_err(damaged)?;
    let ends = packed.part("vocabulary.ends")?;
    let ends = ends.as_slice().chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let vocabulary = Vocabulary::new(packed.part("vocabulary.bytes")?.as_slice().to_vec(), ends)?;
    Florence2::build(config, settings, Processor::new(image, vocabulary, prompts)?, packed, compute)
}

/// A checkpoint that writes down what is asked of it.
struct Recorder<'a> {
    checkpoint: &'a Checkpoint,
    requests: RefCell<Vec<Request>>,
}

struct Request {
    name: String,
    shape: Vec<usize>,
    /// Or a vector or a depthwise kernel, which no recipe is about.
    is_matrix: bool,
}

impl Request {
    fn form(&self, recipe: &Recipe) -> Form {
        if self.is_matrix {
            recipe.form(&self.name, &self.shape)
        } else {
            Form::Kept
        }
    }

    /// The tensor as it will be stored, and its shape: `[out, in]` whatever the checkpoint has.
    fn read(&self, checkpoint: &Checkpoint) -> Result<(Matrix, Vec<usize>)> {
        let matrix = checkpoint.matrix(&self.name, &self.shape)?;
        if self.name == PROJECTION && checkpoint.layout() == Layout::Microsoft {
            return Ok((matrix.transposed(), self.shape.iter().rev().copied().collect()));
        }
        Ok((matrix, self.shape.clone()))
    }
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
        self.checkpoint.contains(name)
    }

    fn matrix(&self, name: &str, shape: &[usize]) -> Result<Matrix> {
        self.record(name, shape, true);
        self.checkpoint.matrix(name, shape)
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let values = self.checkpoint.tensor(name, shape)?;
        // The bias of the logits is all zeros in the checkpoints that have one, and as large as the vocabulary.
        if values.iter().any(|v| *v != 0.0) || !name.ends_with("final_logits_bias") {
            self.record(name, shape, false);
        }
        Ok(values)
    }

    fn layout(&self) -> Layout {
        self.checkpoint.layout()
    }

    fn buffers(&self) -> Vec<Buffer> {
        self.checkpoint.buffers()
    }
}

//! What surrounds the network: pixels in, prompts in, text out (transformers, `models/florence2/processing_florence2.py`
//! and `CLIPImageProcessor`).

use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::task::Task;
use super::vocabulary;
use crate::image::{self, Filter, RgbImage};
use crate::models::files::read_json;
use crate::models::normalization;
use crate::text::Vocabulary;
use crate::{Error, Result};

/// `preprocessor_config.json`, or the part of `processor_config.json` that newer versions write instead.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ImageConfig {
    size: Size,
    #[serde(default = "default::resample")]
    resample: u64,
    #[serde(default = "default::rescale_factor")]
    rescale_factor: f64,
    image_mean: [f32; 3],
    image_std: [f32; 3],
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Size {
    height: u32,
    width: u32,
}

mod default {
    pub fn resample() -> u64 {
        3
    }
    pub fn rescale_factor() -> f64 {
        1.0 / 255.0
    }
}

/// Pixels to a tensor, a task to token ids, token ids to text.
pub struct Processor {
    image: ImageConfig,
    filter: Filter,
    vocabulary: Vocabulary,
    /// Token ids of each task's prompt, in the order of [`Task::ALL`].
    prompts: Vec<Vec<u32>>,
}

impl Processor {
    /// Reads `preprocessor_config.json` (or `processor_config.json`) and `tokenizer.json` in `dir`. `tokens` is the number
    /// of rows of the token table.
    pub fn read(dir: &Path, tokens: usize) -> Result<Self> {
        let (path, image) = image_config(dir)?;
        let (vocabulary, prompts) = vocabulary::read(dir, tokens)?;
        Self::new(image, vocabulary, prompts)
            .map_err(|error| Error::CorruptModel(format!("{}: {error}", path.display())))
    }

    /// A processor from its parts.
    ///
    /// # Errors
    /// `CorruptModel` for a size or a filter that cannot be.
    pub(super) fn new(image: ImageConfig, vocabulary: Vocabulary, prompts: Vec<Vec<u32>>) -> Result<Self> {
        let filter = Filter::from_pillow(image.resample).map_err(|error| Error::CorruptModel(error.to_string()))?;
        let Size { height, width } = image.size;
        if !(1..=4096).contains(&height) || !(1..=4096).contains(&width) {
            return Err(Error::CorruptModel(format!("a size of {width}x{height} pixels is not plausible")));
        }
        normalization::check(image.rescale_factor, image.image_mean, image.image_std)?;
        if prompts.len() != Task::ALL.len() {
            let (found, wanted) = (prompts.len(), Task::ALL.len());
            return Err(Error::CorruptModel(format!("there are {found} prompts for {wanted} tasks")));
        }
        Ok(Self { image, filter, vocabulary, prompts })
    }

    /// What a packed file keeps.
    pub(super) fn parts(&self) -> (&ImageConfig, &Vocabulary, &[Vec<u32>]) {
        (&self.image, &self.vocabulary, &self.prompts)
    }

    /// Height and width of the network's input.
    pub fn size(&self) -> (usize, usize) {
        (self.image.size.height as usize, self.image.size.width as usize)
    }

    /// The image as the network wants it, `[height * width, 3]`: squeezed to the input size, scaled, normalised.
    pub fn pixels(&self, image: &RgbImage) -> Result<Tensor> {
        let ImageConfig { size: Size { height, width }, rescale_factor, image_mean, image_std, .. } = self.image;
        let resized = image::resize(image, width, height, self.filter)?;
        let values = image::pixels(&resized, rescale_factor, image_mean, image_std)?;
        Ok(Tensor::from_vec::<_, f32>(values, ((height * width) as usize, 3), &Device::Cpu)?)
    }

    /// Token ids of the task's prompt, with `<s>` and `</s>`.
    pub fn prompt(&self, task: Task) -> &[u32] {
        &self.prompts[task as usize]
    }

    /// The caption that generated ids stand for: special tokens of the vocabulary stay, the ends go.
    pub fn text(&self, ids: &[u32]) -> String {
        self.vocabulary.text(ids).replace("<s>", "").replace("</s>", "").trim().to_string()
    }
}

fn image_config(dir: &Path) -> Result<(std::path::PathBuf, ImageConfig)> {
    let own = dir.join("preprocessor_config.json");
    let joint = dir.join("processor_config.json");
    if own.exists() || !joint.exists() {
        return Ok((own.clone(), read_json(&own)?));
    }
    #[derive(Deserialize)]
    struct Joint {
        image_processor: ImageConfig,
    }
    Ok((joint.clone(), read_json::<Joint>(&joint)?.image_processor))
}

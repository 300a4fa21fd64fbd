//! Images to crops, requests to prompts, token ids to text.

use super::config::{Config, QueryTemplate, Sections, TokenizerConfig};
use super::crops::{Cropping, Crops};
use super::FAMILY;
use crate::image::RgbImage;
use crate::models::Request;
use crate::text::{Prompt, PromptBuilder, TextEncoder, Vocabulary};
use crate::{Error, Result};

/// What the model can be asked without words of the caller's, the default first.
pub(super) const TASKS: &[&str] = &["<SHORT_CAPTION>", "<CAPTION>"];

/// What comes before the network and after it.
pub struct Processor {
    cropping: Cropping,
    tokenizer: TokenizerConfig,
    patches: usize,
    positions: usize,
    rows: usize,
    vocabulary: Vocabulary,
    encoder: TextEncoder,
}

impl Processor {
    /// By a configuration, with the tables of its tokenizer.
    pub fn new(config: &Config, vocabulary: Vocabulary, encoder: TextEncoder) -> Self {
        let Sections { text, vision, tokenizer } = &config.config;
        Self {
            cropping: vision.cropping(),
            tokenizer: tokenizer.clone(),
            patches: vision.grid() * vision.grid(),
            positions: text.max_context,
            rows: text.vocab_size,
            vocabulary,
            encoder,
        }
    }

    /// What the tower sees of an image.
    pub fn crops(&self, image: &RgbImage) -> Crops {
        self.cropping.crops(image)
    }

    /// The prompt of a request: the first token, room for the image, and what the model is asked.
    ///
    /// # Errors
    /// `InvalidArgument` for what the model cannot be asked, `UnsupportedModel` where the checkpoint has no words for it,
    /// `CorruptModel` for a tokenizer that does not belong to the weights.
    pub fn prompt(&self, request: &Request) -> Result<Prompt> {
        FAMILY.check_task(request)?;
        let words = match &request.prompt {
            Some(question) => self.question(question)?,
            None => self.task(request.task.as_deref().unwrap_or(TASKS[0]))?,
        };
        if let Some(id) = words.iter().find(|id| **id as usize >= self.rows) {
            return Err(Error::CorruptModel(format!(
                "token {id} of the prompt has no row among the model's {}; tokenizer.json and the weights do not belong together",
                self.rows
            )));
        }
        let taken = 1 + self.patches + words.len();
        if taken > self.positions {
            let what = format!("image and prompt take {taken} positions, the model has {}", self.positions);
            return Err(match request.prompt {
                Some(_) => Error::InvalidArgument(format!("{what}; ask a shorter question")),
                None => Error::CorruptModel(format!("{what}; check config.json")),
            });
        }
        let mut prompt = PromptBuilder::default();
        Ok(prompt.ids(&[self.tokenizer.bos_id]).image(self.tokenizer.bos_id, self.patches).ids(&words).build())
    }

    fn task(&self, task: &str) -> Result<Vec<u32>> {
        let captions = self.tokenizer.templates.caption.as_ref().ok_or_else(|| missing("captions"))?;
        let ids = if task == TASKS[0] { &captions.short } else { &captions.normal };
        if ids.is_empty() {
            return Err(missing("captions"));
        }
        Ok(ids.clone())
    }

    fn question(&self, question: &str) -> Result<Vec<u32>> {
        let QueryTemplate { prefix, suffix } =
            self.tokenizer.templates.query.as_ref().ok_or_else(|| missing("questions"))?;
        let words = self.encoder.encode(&format!(" {question}"))?;
        Ok([prefix.as_slice(), words.as_slice(), suffix.as_slice()].concat())
    }

    /// The text of generated ids, decoded as a whole: the published code decodes them one by one, which breaks characters of
    /// several tokens.
    pub fn text(&self, ids: &[u32]) -> String {
        // Python's strip, which also takes the four separators that Unicode does not call white space.
        let blank = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
        self.vocabulary.text(ids).trim_matches(blank).to_string()
    }
}

fn missing(what: &str) -> Error {
    Error::UnsupportedModel(format!("config.json has no template for {what} (config.tokenizer.templates)"))
}

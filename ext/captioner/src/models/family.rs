use std::path::Path;
use std::sync::Arc;

use super::export::exported::Exported;
use super::model::{Model, Request};
use super::parts::Parts;
use crate::weights::packed::{Part, Recipe};
use crate::weights::{Names, Scope, Source};
use crate::{Error, Result};

/// Writes a model's tensors in another form.
pub type Export = fn(&Family, &dyn Source, &Parts) -> Result<Exported>;

/// A family of models: everything that the rest of the library knows about it. A family is one folder, and one line in
/// [`super::FAMILIES`].
pub struct Family {
    /// Its name, in Ruby too.
    pub name: &'static str,
    /// What `config.json` calls it in `model_type`.
    pub model_types: &'static [&'static str],
    /// What it can be asked, the default first.
    pub tasks: &'static [&'static str],
    /// Does it answer a question in the caller's words?
    pub takes_prompt: bool,
    /// Can it look at an image as a whole only?
    pub takes_image_splitting: bool,
    /// Recipes by name, with their rules: how a checkpoint may be packed.
    pub recipes: &'static [(&'static str, &'static str)],
    /// The part of the network that a matrix belongs to, by its canonical name.
    pub part: fn(&str) -> Option<Part>,
    /// The canonical names of a checkpoint's tensors, or nothing if these are no tensors of the family.
    pub names: fn(&[&str]) -> Option<Box<dyn Names>>,
    /// May this tensor, by its own name, be in a checkpoint although no part of the model asks for it?
    pub spare: fn(&str) -> bool,
    /// Reads what a folder holds beside the tensors whose names are given.
    pub read: fn(&Path, &[&str]) -> Result<Parts>,
    /// A model from its parts and its tensors.
    pub build: fn(&Parts, Scope) -> Result<Arc<dyn Model>>,
    /// The model in bitsandbytes' form, where transformers loads the family.
    pub export: Option<Export>,
}

impl Family {
    /// Can the family be asked this?
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown task, a task and a prompt at once, or an option that the family does not have.
    pub fn check_task(&self, request: &Request) -> Result<()> {
        let wrong = |what: String| Err(Error::InvalidArgument(what));
        if let Some(task) = request.task.as_deref().filter(|task| !self.tasks.contains(task)) {
            return wrong(format!("unknown task {task:?}; {} has {}", self.name, self.tasks.join(", ")));
        }
        match request {
            Request { prompt: Some(_), .. } if !self.takes_prompt => {
                wrong(format!("{} answers its own tasks only, it takes no prompt", self.name))
            }
            Request { prompt: Some(_), task: Some(_), .. } => wrong("give either a task or a prompt".into()),
            Request { prompt: Some(prompt), .. } if prompt.trim().is_empty() => wrong("the prompt is empty".into()),
            Request { image_splitting: Some(_), .. } if !self.takes_image_splitting => {
                wrong(format!("{} has no image_splitting", self.name))
            }
            _ => Ok(()),
        }
    }

    /// The recipe that a text names, or whose rules it gives.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that the family does not have, or rules that are none.
    pub fn recipe(&self, text: &str) -> Result<Recipe> {
        if text.contains('=') {
            return text.parse();
        }
        match self.recipes.iter().find(|(name, _)| *name == text) {
            Some((name, rules)) => Ok(rules.parse::<Recipe>()?.called(name)),
            None => {
                let known: Vec<&str> = self.recipes.iter().map(|(name, _)| *name).collect();
                let (family, known) = (self.name, known.join(", "));
                Err(Error::InvalidArgument(format!("unknown recipe {text:?}; {family} has {known}")))
            }
        }
    }
}

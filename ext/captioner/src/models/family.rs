use std::path::Path;
use std::sync::Arc;

use super::model::Model;
use super::parts::Parts;
use crate::weights::packed::{Part, Recipe};
use crate::weights::{Names, Scope};
use crate::{Error, Result};

/// A family of models: everything that the rest of the library knows about it. A family is one folder, and one line in
/// [`super::FAMILIES`].
pub struct Family {
    /// Its name, in Ruby too.
    pub name: &'static str,
    /// What `config.json` calls it in `model_type`.
    pub model_types: &'static [&'static str],
    /// What it can be asked, the default first.
    pub tasks: &'static [&'static str],
    /// Recipes by name, with their rules: how a checkpoint may be packed.
    pub recipes: &'static [(&'static str, &'static str)],
    /// The part of the network that a matrix belongs to, by its canonical name.
    pub part: fn(&str) -> Option<Part>,
    /// The canonical names of a checkpoint's tensors, or nothing if these are no tensors of the family.
    pub names: fn(&[&str]) -> Option<Box<dyn Names>>,
    /// Reads what a folder holds beside the tensors whose names are given.
    pub read: fn(&Path, &[&str]) -> Result<Parts>,
    /// A model from its parts and its tensors.
    pub build: fn(&Parts, Scope) -> Result<Arc<dyn Model>>,
}

impl Family {
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

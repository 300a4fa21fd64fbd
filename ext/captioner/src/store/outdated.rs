//! Packed files that nobody will load again: of an earlier state of a checkpoint, or of another version of the format.

use std::path::{Path, PathBuf};

use super::{file_name, identity_of, label, origin, safe};
use crate::models;
use crate::weights::packed::Recipe;
use crate::Result;

/// The packed files in `folder` that are of the same name and recipe as the one that [`super::packed`] would give, but not it.
/// Those of other recipes are another model's, and none of them; nor is what another folder's checkpoint was packed into, which is
/// there as it was: another application with the same folder of packed files has a model of that name.
///
/// # Errors
/// Those of looking at the checkpoint.
pub fn outdated(dir: &Path, folder: &Path, name: &str, revision: Option<&str>, recipe: &str) -> Result<Vec<PathBuf>> {
    let recipe = models::family(dir)?.recipe(recipe)?;
    let identity = identity_of(dir, revision)?;
    let recipes = [recipe, Recipe::kept()];
    let current = recipes.each_ref().map(|recipe| file_name(name, &identity, recipe));
    let labels = recipes.each_ref().map(|recipe| format!("-{}", label(recipe)));
    let same_model = |file: &str| {
        let stem = file.strip_prefix(&format!("{}@", safe(name)))?.strip_suffix(".safetensors")?;
        let (rest, version) = stem.rsplit_once('-')?;
        let known = version.bytes().all(|byte| byte.is_ascii_digit())
            && labels.iter().any(|label| rest.ends_with(label.as_str()));
        known.then_some(())
    };
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|file| same_model(file).is_some() && !current.contains(file))
        .map(|file| folder.join(file))
        .filter(|path| !origin::is_anothers(path, dir))
        .collect();
    found.sort();
    Ok(found)
}

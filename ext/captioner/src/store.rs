//! Packed files on this machine: made once from a checkpoint, by one process, and checked before they are used.

mod identity;
mod lock;
mod origin;
mod outdated;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::models;
use crate::runtime::ThreadPool;
use crate::weights::packed::{self, Packed, Recipe};
use crate::{Error, Result};

use lock::Lock;

pub use outdated::outdated;

/// A packed file that is ready to be loaded.
#[derive(Debug, PartialEq, Eq)]
pub struct Prepared {
    pub path: PathBuf,
    /// Why it was made just now; nothing if it was there.
    pub made: Option<String>,
}

/// The packed form of the checkpoint in `dir`, in `folder`: found, or made while other processes wait. `revision` is the
/// checkpoint's commit; without one its files are looked at. The file's name is
/// `<name>@<revision or content hash>-<recipe>-<format version>.safetensors`. `recipe` is a recipe's name or rules; a checkpoint
/// that is quantized already keeps what it has, whatever is asked for.
///
/// Tensors are quantized on `pool`; waiting and writing are the calling thread's, so that captions go on meanwhile. It must be none of
/// the pool's: one that finds another's packing to do while its own waits for it would wait for ever.
///
/// # Errors
/// Those of [`models::pack`], `InvalidArgument` for a recipe that the family does not have, and `Interrupted` while waiting.
pub fn packed(
    dir: &Path,
    folder: &Path,
    name: &str,
    revision: Option<&str>,
    recipe: &str,
    pool: &ThreadPool,
    stop: &dyn Fn() -> bool,
) -> Result<Prepared> {
    let recipe = &models::family(dir)?.recipe(recipe)?;
    let identity = identity_of(dir, revision)?;
    let place = |recipe: &Recipe| folder.join(file_name(name, &identity, recipe));
    for recipe in [recipe, &Recipe::kept()] {
        let path = place(recipe);
        let Err(_) = usable(&path, &identity, recipe) else { return Ok(Prepared { path, made: None }) };
    }
    let recipe = &models::own_recipe(dir, recipe)?;
    let path = place(recipe);
    let lock = Lock::acquire(&path, stop)?;
    // Another process may have made it meanwhile.
    let Err(why) = usable(&path, &identity, recipe) else { return Ok(Prepared { path, made: None }) };
    if lock.is_exclusive {
        packed::remove_leftovers(&path);
    }
    // A commit's folder stays as it is when the model moves on, so it says nothing.
    if revision.is_none() {
        origin::note(&lock.file, dir);
    }
    models::pack(dir, recipe, &identity, &path, pool, stop)?;
    Ok(Prepared { path, made: Some(why) })
}

/// Which checkpoint it is: its commit, which stands for all of its content, or what its content says.
fn identity_of(dir: &Path, revision: Option<&str>) -> Result<String> {
    revision.map_or_else(|| identity::of_folder(dir), |revision| Ok(revision.to_string()))
}

fn file_name(name: &str, identity: &str, recipe: &Recipe) -> String {
    format!("{}@{identity}-{}-{}.safetensors", safe(name), label(recipe), packed::VERSION)
}

/// A model's name in a file's name.
fn safe(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

/// Says why a file cannot be used.
fn usable(path: &Path, identity: &str, recipe: &Recipe) -> std::result::Result<(), String> {
    let file = Packed::open(path, true).map_err(|error| match error {
        Error::NotFound(_) => "it was not there".to_string(),
        error => error.to_string(),
    })?;
    let same = |key, value: &str| file.metadata(key).is_ok_and(|own| own == value);
    if !same(packed::IDENTITY, identity) {
        return Err(format!("{} was made from another checkpoint", path.display()));
    }
    if !same(packed::CONTENTS.0, packed::CONTENTS.1) {
        return Err(format!("{} was made by another version of this library", path.display()));
    }
    if !same(packed::RECIPE, recipe.name()) || !same(packed::RULES, &recipe.rules()) {
        return Err(format!("{} was made by another recipe", path.display()));
    }
    Ok(())
}

/// A recipe in a file's name: its own name, or for one that is named by its rules 16 hexadecimal digits of their hash.
fn label(recipe: &Recipe) -> String {
    if recipe.name().contains('=') {
        return hex(&Sha256::digest(recipe.name())[..8]);
    }
    recipe.name().to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

//! Models on disk: `Native.pack`, `outdated`, `check` and `describe`.

use std::sync::atomic::Ordering;

use captioner::captioner::Captioner;
use captioner::kernels::Compute;
use captioner::weights::packed::Packed;
use captioner::{models, runtime, store};
use magnus::{function, prelude::*, Error, RArray, RHash, RModule, RString, Ruby};

use crate::helpers::{errors::to_ruby, gvl, paths::path, paths::ruby_path};

pub fn init(native: RModule) -> Result<(), Error> {
    native.define_singleton_method("pack", function!(pack, 5))?;
    native.define_singleton_method("outdated", function!(outdated, 5))?;
    native.define_singleton_method("check", function!(check, 1))?;
    native.define_singleton_method("describe", function!(describe, 1))
}

/// `pack(dir, folder, name, revision, recipe)`: the packed form of a checkpoint's folder as `[path, why]`; `why` says what
/// made it necessary to pack just now, or is nil. A recipe is the name of one of the family's, or rules, see
/// `captioner::weights::packed::Recipe`.
fn pack(
    ruby: &Ruby,
    dir: RString,
    folder: RString,
    name: String,
    revision: Option<String>,
    recipe: String,
) -> Result<(RString, Option<String>), Error> {
    let (dir, folder) = (path(dir), path(folder));
    let pool = runtime::pool().map_err(|error| to_ruby(ruby, &error))?;
    let ready = gvl::release(ruby, |stop| {
        let stop = || stop.load(Ordering::Relaxed);
        store::packed(&dir, &folder, &name, revision.as_deref(), &recipe, pool, &stop)
    })?;
    Ok((ruby_path(ruby, &ready.path), ready.made))
}

/// `outdated(dir, folder, name, revision, recipe)`: the paths of packed files that are of the same name and recipe as the one
/// that `pack` gives, but of another state of the checkpoint or of another version of the format.
fn outdated(
    ruby: &Ruby,
    dir: RString,
    folder: RString,
    name: String,
    revision: Option<String>,
    recipe: String,
) -> Result<RArray, Error> {
    let (dir, folder) = (path(dir), path(folder));
    let found = gvl::release(ruby, |_| store::outdated(&dir, &folder, &name, revision.as_deref(), &recipe))?;
    Ok(ruby.ary_from_iter(found.iter().map(|path| ruby_path(ruby, path))))
}

/// `check(path)`: raises unless a folder's configuration and weights fit together, or a packed file is what was written.
fn check(ruby: &Ruby, place: RString) -> Result<(), Error> {
    let place = path(place);
    gvl::release(ruby, |_| {
        if place.is_file() {
            Packed::open(&place, true)?.check()?;
        }
        Captioner::load(&place, true, Compute::Exact).map(drop)
    })
}

/// `describe(path)`: what a folder's configuration or a packed file says of itself: `{ "family", "tasks", "recipes" }`. The
/// weights are not looked at.
fn describe(ruby: &Ruby, place: RString) -> Result<RHash, Error> {
    let place = path(place);
    let family = models::family(&place).map_err(|error| to_ruby(ruby, &error))?;
    let about = ruby.hash_new();
    about.aset("family", family.name)?;
    about.aset("tasks", family.tasks.to_vec())?;
    about.aset("recipes", family.recipes.iter().map(|(name, _)| *name).collect::<Vec<_>>())?;
    Ok(about)
}

//! The process-global cache of models: `Native.load`, `find`, `loaded` and `unload`; and what all of them compute with.

use std::sync::atomic::{AtomicUsize, Ordering};

use captioner::cache;
use captioner::captioner::Captioner;
use captioner::kernels::{Compute, Isa};
use captioner::runtime;
use magnus::{function, prelude::*, Error, RHash, RModule, RString, Ruby};

use crate::helpers::{errors::to_ruby, gvl, options::option, paths::path};
use crate::model::Model;

pub fn init(native: RModule) -> Result<(), Error> {
    native.define_singleton_method("load", function!(load, 3))?;
    native.define_singleton_method("find", function!(find, 1))?;
    native.define_singleton_method("loaded", function!(loaded, 0))?;
    native.define_singleton_method("unload", function!(unload, 1))?;
    native.define_singleton_method("threads=", function!(set_threads, 1))?;
    native.define_singleton_method("kernels", function!(kernels, 0))
}

/// `load(key, path, options)`: the model `key` from the cache, or loaded into it from a folder or a packed file. Options are
/// `map_weights`, `memory_limit` and `compute`.
fn load(ruby: &Ruby, key: String, place: RString, options: RHash) -> Result<Model, Error> {
    let map = option(ruby, options, "map_weights")?.unwrap_or(true);
    let limit: Option<usize> = option(ruby, options, "memory_limit")?;
    let compute: Option<String> = option(ruby, options, "compute")?;
    let compute = compute.map_or(Ok(Compute::default()), |name| name.parse::<Compute>());
    let (place, compute) = (path(place), compute.map_err(|error| to_ruby(ruby, &error))?);
    let captioner =
        gvl::release(ruby, |stop| cache::fetch(&key, limit, stop, || Captioner::load(&place, map, compute)))?;
    tell_gc(ruby);
    Ok(Model(captioner))
}

/// `find(key)`: the model `key` if it is in the cache.
fn find(key: String) -> Option<Model> {
    cache::find(&key).map(Model)
}

/// `loaded`: `[[key, bytes], ...]`.
fn loaded() -> Vec<(String, usize)> {
    cache::loaded()
}

/// `unload(key)`: was it there?
fn unload(ruby: &Ruby, key: String) -> Result<bool, Error> {
    let mut captioner = cache::unload(&key);
    let was_there = captioner.is_some();
    tell_gc(ruby);
    // Giving gigabytes back takes a while.
    gvl::release(ruby, |_| {
        captioner.take();
        Ok(was_there)
    })
}

/// Lets the garbage collector know by how much the cache has grown or shrunk since it was last told.
fn tell_gc(ruby: &Ruby) {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let bytes = cache::loaded().iter().map(|(_, bytes)| bytes).sum();
    ruby.gc_adjust_memory_usage(bytes as isize - TOLD.swap(bytes, Ordering::Relaxed) as isize);
}

/// `threads = n`; nil for one per CPU.
fn set_threads(threads: Option<usize>) {
    runtime::set_threads(threads.unwrap_or(0));
}

/// `kernels`: the instructions that the matrix kernels use.
fn kernels() -> &'static str {
    Isa::current().name()
}

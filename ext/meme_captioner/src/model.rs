//! `MemeCaptioner::Native::Model`, and the process-global cache of models.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

use captioner::captioner::{Caption, Captioner, Input, Scores};
use captioner::image::Limits;
use captioner::kernels::{Compute, Isa};
use captioner::models::florence2::{Options, Task, TokenScore};
use captioner::runtime::{self, ThreadPool};
use captioner::weights::packed::{Packed, Recipe};
use captioner::{cache, store};
use magnus::scan_args::{scan_args, ScanArgsRequired};
use magnus::{function, method, prelude::*, Error, RHash, RModule, RString, Ruby, Value};

use crate::helpers::{errors::to_ruby, gvl};

/// A model in the cache. The weights are the cache's; this is a handle that keeps them while it lives.
#[magnus::wrap(class = "MemeCaptioner::Native::Model", free_immediately, frozen_shareable)]
struct Model(Arc<Captioner>);

/// A caption: its text, how many tokens it has, and the seconds for image, vision, encoder and decoder.
type Captioned = (String, usize, (f64, f64, f64, f64));

/// Task, beams, tokens and pixel limit, as Ruby passes them.
type Arguments = (RString, String, Option<usize>, Option<usize>, u64);

/// A token, its log-probability, and the likeliest token in its place.
type Score = (u32, f32, u32);

pub fn init(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    native.define_singleton_method("load", function!(load, 3))?;
    native.define_singleton_method("find", function!(find, 1))?;
    native.define_singleton_method("loaded", function!(loaded, 0))?;
    native.define_singleton_method("unload", function!(unload, 1))?;
    native.define_singleton_method("pack", function!(pack, 5))?;
    native.define_singleton_method("check", function!(check, 1))?;
    native.define_singleton_method("threads=", function!(set_threads, 1))?;
    native.define_singleton_method("kernels", function!(kernels, 0))?;
    let class = native.define_class("Model", ruby.class_object())?;
    class.undef_default_alloc_func();
    class.define_method("caption_path", method!(Model::caption_path, -1))?;
    class.define_method("caption_bytes", method!(Model::caption_bytes, -1))?;
    class.define_method("ids_path", method!(Model::ids_path, -1))?;
    class.define_method("ids_bytes", method!(Model::ids_bytes, -1))?;
    class.define_method("text", method!(Model::text, 1))?;
    class.define_method("score_path", method!(Model::score_path, -1))?;
    class.define_method("score_bytes", method!(Model::score_bytes, -1))?;
    class.define_method("compare_path", method!(Model::compare_path, -1))?;
    class.define_method("compare_bytes", method!(Model::compare_bytes, -1))?;
    class.define_method("bytes", method!(Model::bytes, 0))?;
    class.define_method("touch", method!(Model::touch, 0))
}

/// `load(key, path, options)`: the model `key` from the cache, or loaded into it from a folder or a packed file.
fn load(ruby: &Ruby, key: String, place: RString, options: RHash) -> Result<Model, Error> {
    let map = options.lookup2::<_, _, Option<bool>>(ruby.to_symbol("map_weights"), true)?.unwrap_or(true);
    let limit: Option<usize> = options.lookup2(ruby.to_symbol("memory_limit"), None::<usize>)?;
    let compute: Option<String> = options.lookup2(ruby.to_symbol("compute"), None::<String>)?;
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
fn unload(ruby: &Ruby, key: String) -> bool {
    let was_there = cache::unload(&key);
    tell_gc(ruby);
    was_there
}

/// Lets the garbage collector know by how much the cache has grown or shrunk since it was last told.
fn tell_gc(ruby: &Ruby) {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let bytes = cache::loaded().iter().map(|(_, bytes)| bytes).sum();
    ruby.gc_adjust_memory_usage(bytes as isize - TOLD.swap(bytes, Ordering::Relaxed) as isize);
}

/// `pack(dir, folder, name, revision, recipe)`: the packed form of a checkpoint's folder as `[path, why]`; `why` says what
/// made it necessary to pack just now, or is nil. A recipe is a name or rules, see `captioner::weights::packed::Recipe`.
fn pack(
    ruby: &Ruby,
    dir: RString,
    folder: RString,
    name: String,
    revision: Option<String>,
    recipe: String,
) -> Result<(RString, Option<String>), Error> {
    let recipe: Recipe = recipe.parse().map_err(|error| to_ruby(ruby, &error))?;
    let (dir, folder) = (path(dir), path(folder));
    let pool = runtime::pool().map_err(|error| to_ruby(ruby, &error))?;
    let ready = gvl::release(ruby, |stop| {
        let stop = || stop.load(Ordering::Relaxed);
        pool.install(|| store::packed(&dir, &folder, &name, revision.as_deref(), &recipe, &stop))
    })?;
    Ok((ruby_path(ruby, &ready.path), ready.made))
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

/// `threads = n`; nil for one per CPU.
fn set_threads(threads: Option<usize>) {
    runtime::set_threads(threads.unwrap_or(0));
}

/// `kernels`: the instructions that the matrix kernels use.
fn kernels() -> &'static str {
    Isa::current().name()
}

impl Model {
    /// `caption_path(path, task, num_beams, max_new_tokens, max_pixels)`: `[text, tokens, seconds]`, see [`Captioned`].
    fn caption_path(ruby: &Ruby, model: &Self, arguments: &[Value]) -> Result<Captioned, Error> {
        model.caption(ruby, arguments, from_path)
    }

    /// `caption_bytes(bytes, task, num_beams, max_new_tokens, max_pixels)`: see `caption_path`.
    fn caption_bytes(ruby: &Ruby, model: &Self, arguments: &[Value]) -> Result<Captioned, Error> {
        model.caption(ruby, arguments, from_bytes)
    }

    fn caption(&self, ruby: &Ruby, arguments: &[Value], input: fn(RString) -> Input) -> Result<Captioned, Error> {
        let mut caption = self.start(ruby, scan(arguments)?, input)?;
        let text = heavy(ruby, |pool, stop| caption.advance(pool, stop))?;
        let seconds = caption.seconds();
        Ok((text, caption.tokens(), (seconds.image, seconds.vision, seconds.encoder, seconds.decoder)))
    }

    /// `ids_path(path, task, num_beams, max_new_tokens, max_pixels)`: the caption as token ids, which `text` turns into the
    /// caption. The decoder's start token is left out, the ends are there.
    fn ids_path(ruby: &Ruby, model: &Self, arguments: &[Value]) -> Result<Vec<u32>, Error> {
        model.ids(ruby, arguments, from_path)
    }

    /// `ids_bytes(bytes, task, num_beams, max_new_tokens, max_pixels)`: see `ids_path`.
    fn ids_bytes(ruby: &Ruby, model: &Self, arguments: &[Value]) -> Result<Vec<u32>, Error> {
        model.ids(ruby, arguments, from_bytes)
    }

    fn ids(&self, ruby: &Ruby, arguments: &[Value], input: fn(RString) -> Input) -> Result<Vec<u32>, Error> {
        let mut caption = self.start(ruby, scan(arguments)?, input)?;
        heavy(ruby, |pool, stop| caption.advance_ids(pool, stop))
    }

    /// `text(ids)`: the caption of token ids.
    fn text(&self, ids: Vec<u32>) -> String {
        self.0.model().processor().text(&ids)
    }

    /// `score_path(path, task, ids, max_pixels)`: teacher forcing. `[[id, log_probability, best], ...]` says of each token of
    /// the caption `ids` (of whatever model with the same vocabulary) how likely this model finds it after the tokens before
    /// it, and which it finds the likeliest. Tokens that the generation settings force (a first `<s>`) are left out.
    fn score_path(ruby: &Ruby, model: &Self, arguments: &[Value]) -> Result<Vec<Score>, Error> {
        model.score(ruby, arguments, from_path)
    }

    /// `score_bytes(bytes, task, ids, max_pixels)`: see `score_path`.
    fn score_bytes(ruby: &Ruby, model: &Self, arguments: &[Value]) -> Result<Vec<Score>, Error> {
        model.score(ruby, arguments, from_bytes)
    }

    fn score(&self, ruby: &Ruby, arguments: &[Value], input: fn(RString) -> Input) -> Result<Vec<Score>, Error> {
        let (image, task, ids, max_pixels) = scan(arguments)?;
        let mut scores = Scores::new(self.start(ruby, (image, task, None, None, max_pixels), input)?, ids);
        Ok(flat(heavy(ruby, |pool, stop| scores.advance(pool, stop))?))
    }

    /// `compare_path(path, task, num_beams, max_new_tokens, max_pixels, ids)`: `[ids_path(...), score_path(...)]`, for little
    /// more than the price of the first, as the image is encoded once.
    fn compare_path(ruby: &Ruby, model: &Self, arguments: &[Value]) -> Result<(Vec<u32>, Vec<Score>), Error> {
        model.compare(ruby, arguments, from_path)
    }

    /// `compare_bytes(bytes, task, num_beams, max_new_tokens, max_pixels, ids)`: see `compare_path`.
    fn compare_bytes(ruby: &Ruby, model: &Self, arguments: &[Value]) -> Result<(Vec<u32>, Vec<Score>), Error> {
        model.compare(ruby, arguments, from_bytes)
    }

    fn compare(
        &self,
        ruby: &Ruby,
        arguments: &[Value],
        input: fn(RString) -> Input,
    ) -> Result<(Vec<u32>, Vec<Score>), Error> {
        let (image, task, num_beams, max_new_tokens, max_pixels, ids) = scan(arguments)?;
        let own = self.start(ruby, (image, task, num_beams, max_new_tokens, max_pixels), input)?;
        let mut scores = Scores::new(own, ids);
        let (ids, scores) = heavy(ruby, |pool, stop| scores.advance_both(pool, stop))?;
        Ok((ids, flat(scores)))
    }

    /// A caption that nothing was done for yet.
    fn start(&self, ruby: &Ruby, arguments: Arguments, input: fn(RString) -> Input) -> Result<Caption, Error> {
        let (image, task, num_beams, max_new_tokens, max_pixels) = arguments;
        let task: Task = task.parse().map_err(|error| to_ruby(ruby, &error))?;
        let options = Options { task, num_beams, max_new_tokens };
        Ok(Caption::new(self.0.clone(), input(image), Limits { max_pixels, ..Limits::default() }, options))
    }

    /// `bytes`: of the weights.
    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// `touch`: makes every page of the weights resident.
    fn touch(&self) {
        self.0.touch();
    }
}

/// Computes without the GVL. The pool is chosen with it held: no fork can happen then, so it is this process's.
fn heavy<T>(ruby: &Ruby, mut work: impl FnMut(&ThreadPool, &AtomicBool) -> captioner::Result<T>) -> Result<T, Error> {
    let pool = runtime::pool().map_err(|error| to_ruby(ruby, &error))?;
    gvl::release(ruby, |stop| work(pool, stop))
}

fn flat(scores: Vec<TokenScore>) -> Vec<Score> {
    scores.into_iter().map(|score| (score.token, score.log_probability, score.best)).collect()
}

fn scan<T: ScanArgsRequired>(arguments: &[Value]) -> Result<T, Error> {
    Ok(scan_args::<T, (), (), (), (), ()>(arguments)?.required)
}

fn from_path(image: RString) -> Input {
    Input::Path(path(image))
}

fn from_bytes(bytes: RString) -> Input {
    // SAFETY: copied before Ruby runs again.
    Input::Bytes(unsafe { bytes.as_slice() }.to_vec())
}

/// A path with Ruby's bytes, which need not be UTF-8.
pub fn path(string: RString) -> PathBuf {
    // SAFETY: copied before Ruby runs again.
    let bytes = unsafe { string.as_slice() };
    PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}

/// A path as a Ruby string with the same bytes.
pub fn ruby_path(ruby: &Ruby, path: &Path) -> RString {
    ruby.enc_str_new(path.as_os_str().as_encoded_bytes(), ruby.utf8_encoding())
}

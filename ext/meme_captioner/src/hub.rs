//! `Native.fetch` and `Native.cached`: a model's files from a hub.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use captioner::hub::{FileSpec, Hub, Phase, Progress, Settings, Source};
use captioner::Error as CoreError;
use magnus::{block::Proc, function, prelude::*, Error, RHash, RModule, RString, Ruby};

use crate::helpers::gvl;
use crate::helpers::options::option;
use crate::helpers::paths::{path, ruby_path};

/// `[name, required, size, sha256, names of files that do in its place]`
type File = (String, bool, Option<u64>, Option<String>, Vec<String>);

pub fn init(native: RModule) -> Result<(), Error> {
    native.define_singleton_method("fetch", function!(fetch, 4))?;
    native.define_singleton_method("cached", function!(cached, 4))
}

/// `fetch(repo, revision, files, options) { |file, done, total, phase| }`: the folder with the files.
fn fetch(ruby: &Ruby, repo: String, revision: String, files: Vec<File>, options: RHash) -> Result<RString, Error> {
    let (hub, source) = (Hub::new(settings(ruby, options)?), source(repo, revision, files));
    let block = ruby.block_given().then(|| ruby.block_proc()).transpose()?;
    // What the block or a signal's handler raised; it ends the download and is raised again below.
    let raised: Cell<Option<Error>> = Cell::new(None);
    let keep = |result: Result<(), Error>| match result {
        Ok(()) => false,
        Err(error) => {
            raised.set(Some(error));
            true
        }
    };
    let folder = gvl::release(ruby, |stop| {
        let ended = Cell::new(false);
        let mut report = |progress: &Progress| {
            if let (Some(block), false) = (block, ended.get()) {
                ended.set(gvl::reacquire(|_| keep(call(block, progress))).unwrap_or(true));
            }
        };
        let should_stop = || {
            if !ended.get() && stop.swap(false, Ordering::Relaxed) {
                // A download has no steps to stop between: what is pending is handled here, and it goes on if that did not raise.
                ended.set(gvl::reacquire(|ruby| keep(ruby.thread_check_ints())).unwrap_or(true));
            }
            ended.get()
        };
        match hub.fetch(&source, &mut report, &should_stop) {
            Err(CoreError::Interrupted) if ended.get() => Ok(None),
            other => other.map(Some),
        }
    })?;
    match (raised.take(), folder) {
        (Some(error), _) => Err(error),
        (None, Some(folder)) => Ok(ruby_path(ruby, &folder)),
        (None, None) => Err(Error::new(ruby.exception_interrupt(), "interrupted")),
    }
}

/// `cached(repo, revision, files, options)`: the folder with the files, or nil if one is missing. No network.
fn cached(
    ruby: &Ruby,
    repo: String,
    revision: String,
    files: Vec<File>,
    options: RHash,
) -> Result<Option<RString>, Error> {
    let hub = Hub::new(settings(ruby, options)?);
    Ok(hub.cached(&source(repo, revision, files)).map(|folder| ruby_path(ruby, &folder)))
}

fn call(block: Proc, progress: &Progress) -> Result<(), Error> {
    let phase = match progress.phase {
        Phase::Waiting => "waiting",
        Phase::Downloading => "downloading",
        Phase::Verifying => "verifying",
        Phase::Done => "done",
    };
    block.call::<_, magnus::Value>((progress.file.as_str(), progress.downloaded, progress.total, phase)).map(drop)
}

fn source(repo_id: String, revision: String, files: Vec<File>) -> Source {
    let files = files.into_iter();
    let files = files.map(|(name, required, size, sha256, instead)| FileSpec { name, required, size, sha256, instead });
    Source { repo_id, revision, files: files.collect() }
}

/// The environment's settings, and over them what the application set.
fn settings(ruby: &Ruby, options: RHash) -> Result<Settings, Error> {
    let mut settings = Settings::from_env();
    if let Some(endpoint) = option(ruby, options, "endpoint")? {
        settings.endpoint = endpoint;
    }
    if let Some(token) = option(ruby, options, "token")? {
        settings.token = Some(token);
    }
    if let Some(folder) = option::<RString>(ruby, options, "cache_dir")? {
        settings.cache_dir = path(folder);
    }
    if let Some(offline) = option(ruby, options, "offline")? {
        settings.offline = offline;
    }
    Ok(settings)
}

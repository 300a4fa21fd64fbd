//! `Native.fetch` and `Native.cached`: a model's files from a hub.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use captioner::hub::{Download, Event, FileSpec, Hub, Phase, Progress, Settings, Source};
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

/// `fetch(repo, revision, files, options) { |file, done, total, phase| }`: the folder with the files. What the block or a signal's
/// handler raises ends the download.
fn fetch(ruby: &Ruby, repo: String, revision: String, files: Vec<File>, options: RHash) -> Result<RString, Error> {
    let (hub, source) = (Hub::new(settings(ruby, options)?), source(repo, revision, files));
    let block = ruby.block_given().then(|| ruby.block_proc()).transpose()?;
    let mut download = gvl::release(ruby, |_| hub.start(&source))?;
    let folder = listen(ruby, &mut download, block);
    // One that is stopped takes a moment to clean up. What interrupts that is raised, as in an `ensure`.
    let mut download = Some(download);
    gvl::release(ruby, |_| {
        download.take();
        Ok(())
    })?;
    folder.map(|folder| ruby_path(ruby, &folder))
}

/// Waits without the GVL, and tells the block with it what has happened.
fn listen(ruby: &Ruby, download: &mut Download, block: Option<Proc>) -> Result<PathBuf, Error> {
    loop {
        match gvl::release(ruby, |stop| download.next(&|| stop.load(Ordering::Relaxed)))? {
            Event::Progress(progress) => block.map_or(Ok(()), |block| call(block, &progress))?,
            Event::Done(folder) => return Ok(folder),
        }
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

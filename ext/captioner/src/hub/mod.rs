//! Getting a model's files: from the Hugging Face cache, or from a hub into it.
//!
//! A file gets its name only after its length and hash were checked, so what is under a name is whole. Several processes
//! that want the same file wait for the one that fetches it. The layout is huggingface_hub's own: what Python downloaded
//! is used, and Python uses what is downloaded here.
//!
//! ```no_run
//! use captioner::hub::{FileSpec, Hub, Settings, Source};
//! let files = ["config.json", "model.safetensors"].map(FileSpec::required).to_vec();
//! let source = Source { repo_id: "owner/name".into(), revision: "main".into(), files };
//! let hub = Hub::new(Settings::from_env());
//! let folder = hub.fetch(&source, &mut |progress| println!("{progress:?}"), &|| false)?;
//! # Ok::<(), captioner::error::Error>(())
//! ```

mod client;
mod failure;
mod headers;
mod job;
mod layout;
mod lock;
mod proxy;
mod retry;
mod settings;
mod storage;
mod transfer;
mod url;
mod verify;
mod worker;

use std::path::PathBuf;

use crate::error::{Error, Result};
use layout::Layout;
use retry::Stop;
pub use settings::{Settings, DEFAULT_ENDPOINT};
use storage::storage_error;
pub use worker::{Download, Event};

/// Bytes of a file of weights, at most; larger models are in several.
const MOST_WEIGHTS: u64 = 64 << 30;
/// Bytes of any other file, at most: tokenizers are the largest, with tens of megabytes.
const MOST_OTHER: u64 = 256 << 20;

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    /// Its path in the repository.
    pub name: String,
    /// Whether the model works without it.
    pub required: bool,
    /// Its length, where it is pinned.
    pub size: Option<u64>,
    /// Its sha256 in hex, where it is pinned.
    pub sha256: Option<String>,
    /// Names of files that do in its place, the likeliest first. An index of weights stands for all that it lists.
    pub instead: Vec<String>,
}

impl FileSpec {
    /// A file that must be there, with nothing pinned but what the revision pins.
    pub fn required(name: &str) -> Self {
        FileSpec { name: name.to_owned(), required: true, size: None, sha256: None, instead: Vec::new() }
    }

    /// The same file; where the repository does not have it, the first of these that it has will do.
    pub fn or(self, instead: &[&str]) -> Self {
        FileSpec { instead: instead.iter().map(|name| name.to_string()).collect(), ..self }
    }

    /// The longest that the file may be: as it is pinned, otherwise what no model's file of its kind is.
    fn most(&self) -> u64 {
        let kind = if self.name.ends_with(".safetensors") { MOST_WEIGHTS } else { MOST_OTHER };
        self.size.unwrap_or(kind)
    }

    /// A file that is taken when the repository has it.
    pub fn optional(name: &str) -> Self {
        FileSpec { required: false, ..Self::required(name) }
    }
}

/// Some files of a repository at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `organisation/name`.
    pub repo_id: String,
    /// A commit, a branch or a tag. With a commit in the cache no request is made.
    pub revision: String,
    /// What is wanted of it.
    pub files: Vec<FileSpec>,
}

/// What a download is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Another process fetches the file.
    Waiting,
    /// Bytes arrive.
    Downloading,
    /// The file is read back and its hash compared.
    Verifying,
    /// The file has its name.
    Done,
}

/// How far a download is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What happens now.
    pub phase: Phase,
    /// To which file.
    pub file: String,
    /// Bytes of this file so far; falls back to zero when a server makes it start again.
    pub downloaded: u64,
    /// Bytes of this file in the end, where known.
    pub total: Option<u64>,
    /// Bytes of all files that this call fetches, so far.
    pub overall_downloaded: u64,
    /// Bytes of all files that this call fetches, where known.
    pub overall_total: Option<u64>,
}

/// A hub and its cache on this machine.
#[derive(Debug, Clone)]
pub struct Hub {
    settings: Settings,
}

impl Hub {
    /// Keeps the settings; neither the network nor the disk is touched.
    pub fn new(settings: Settings) -> Self {
        Hub { settings }
    }

    /// The folder of the snapshot when every required file is in the cache. Makes no request.
    pub fn cached(&self, source: &Source) -> Option<PathBuf> {
        find(&Layout::new(&self.settings.cache_dir, source).ok()?, source)
    }

    /// The folder of the snapshot, with what was missing fetched and checked. For a commit that is all in the cache no
    /// request is made. `progress` is called on this thread; `stop` is asked every 50 ms or so, and ends the download.
    ///
    /// # Errors
    ///
    /// - `ModelUnavailable`: the hub says 401, 403 or 404, offline without the files, or the cache cannot be written:
    ///   a full disk, a folder that belongs to another user
    /// - `Download`: network trouble, a file whose hash stayed wrong after the retries
    /// - `CorruptModel`: the hub announces other content than the pinned one
    /// - `InvalidArgument`: names that no hub has
    /// - `Interrupted`: `stop` said so
    pub fn fetch(
        &self,
        source: &Source,
        progress: &mut dyn FnMut(&Progress),
        stop: &dyn Fn() -> bool,
    ) -> Result<PathBuf> {
        let mut download = self.start(source)?;
        loop {
            match download.next(stop)? {
                Event::Progress(news) => progress(&news),
                Event::Done(folder) => return Ok(folder),
            }
        }
    }

    /// As [`Hub::fetch`], for a caller that does something else between two events.
    pub fn start(&self, source: &Source) -> Result<Download> {
        let layout = Layout::new(&self.settings.cache_dir, source)?;
        if let Some(snapshot) = find(&layout, source) {
            if self.settings.offline || is_settled(&layout, source) {
                return Ok(Download::done(snapshot));
            }
        }
        if self.settings.offline {
            return Err(offline_error(&self.settings, &layout, source));
        }
        Download::start(&self.settings, source, layout)
    }
}

/// The snapshot, when all that is required is in it.
fn find(layout: &Layout, source: &Source) -> Option<PathBuf> {
    let commit = layout.commit_of(&source.revision)?;
    let whole = source.files.iter().filter(|file| file.required).all(|file| layout.satisfies(&commit, file));
    Some(layout.snapshot(&commit)).filter(|folder| whole && folder.is_dir())
}

/// Whether the hub could add nothing: the revision is a commit, and of the optional files each one is known to be there
/// or not to exist.
fn is_settled(layout: &Layout, source: &Source) -> bool {
    layout::is_commit(&source.revision)
        && source.files.iter().all(|file| {
            layout.satisfies(&source.revision, file)
                || (!file.required && layout.is_absent(&source.revision, &file.name))
        })
}

fn offline_error(settings: &Settings, layout: &Layout, source: &Source) -> Error {
    let place = settings.cache_dir.display();
    let Source { repo_id, revision, .. } = source;
    let missing = match layout.commit_of(revision) {
        None => format!("{repo_id} has no revision {revision} in {place}"),
        Some(commit) => {
            let required = source.files.iter().filter(|file| file.required);
            let names: Vec<_> =
                required.filter(|file| !layout.satisfies(&commit, file)).map(|file| file.name.as_str()).collect();
            format!("{} of {repo_id} at {revision} missing or of the wrong length in {place}", names.join(", "))
        }
    };
    Error::ModelUnavailable(format!(
        "offline, and {missing}: download it once with MEME_CAPTIONER_OFFLINE and HF_HUB_OFFLINE unset, or name a cache that has it \
         (MEME_CAPTIONER_CACHE_DIR, HF_HUB_CACHE)"
    ))
}

enum Message {
    Progress(Progress),
    Done(Result<PathBuf>),
}

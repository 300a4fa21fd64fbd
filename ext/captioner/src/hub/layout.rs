//! The Hugging Face cache on disk: `models--organisation--name/{blobs,refs,snapshots,.no_exist}` and `.locks`.
//!
//! Source: huggingface_hub 2.4, `file_download.py`; what it wrote is found here, and the other way round.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{FileSpec, Source};
use crate::error::{Error, Result};
use crate::shards;

/// The folders of one repository in the cache.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    locks: PathBuf,
    repo: PathBuf,
}

impl Layout {
    /// Fails with `InvalidArgument` for names that could leave the cache or that no hub has.
    pub fn new(cache_dir: &Path, source: &Source) -> Result<Self> {
        let bad = |what: &str, value: &str| Err(Error::InvalidArgument(format!("{value:?} is not a {what}")));
        if source.repo_id.split('/').count() > 2 || !source.repo_id.split('/').all(is_repo_word) {
            return bad("repository of the hub (organisation/name)", &source.repo_id);
        }
        if !is_relative(&source.revision) {
            return bad("revision (a commit, a branch or a tag)", &source.revision);
        }
        let mut names = source.files.iter().flat_map(|file| file.instead.iter().chain([&file.name]));
        if let Some(name) = names.find(|name| !is_relative(name)) {
            return bad("file name in a repository", name);
        }
        let folder = format!("models--{}", source.repo_id.replace('/', "--"));
        Ok(Layout { locks: cache_dir.join(".locks").join(&folder), repo: cache_dir.join(folder) })
    }

    pub fn blobs(&self) -> PathBuf {
        self.repo.join("blobs")
    }

    pub fn blob(&self, etag: &str) -> PathBuf {
        self.blobs().join(etag)
    }

    pub fn lock(&self, etag: &str) -> PathBuf {
        self.locks.join(format!("{etag}.lock"))
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.repo.join("snapshots").join(commit)
    }

    fn reference(&self, revision: &str) -> PathBuf {
        self.repo.join("refs").join(revision)
    }

    fn absence(&self, commit: &str, name: &str) -> PathBuf {
        self.repo.join(".no_exist").join(commit).join(name)
    }

    /// The commit that a revision stands for, as far as the cache knows.
    pub fn commit_of(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let commit = std::fs::read_to_string(self.reference(revision)).ok()?;
        Some(commit.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Whether the file is there, with the pinned length where one is pinned.
    pub fn has(&self, commit: &str, file: &FileSpec) -> bool {
        match std::fs::metadata(self.snapshot(commit).join(&file.name)) {
            Ok(metadata) => metadata.is_file() && file.size.is_none_or(|size| size == metadata.len()),
            Err(_) => false,
        }
    }

    /// Whether the file is there, or what may stand in its place.
    pub fn satisfies(&self, commit: &str, file: &FileSpec) -> bool {
        let has = |name: &String| self.has(commit, &FileSpec::required(name));
        let whole = |name: &String| {
            has(name)
                && (!name.ends_with(shards::INDEX)
                    || self.listed(commit, name).is_ok_and(|names| names.iter().all(has)))
        };
        self.has(commit, file) || file.instead.iter().any(whole)
    }

    /// The files that an index in the snapshot lists.
    ///
    /// # Errors
    /// `CorruptModel` for an index that is none.
    pub fn listed(&self, commit: &str, index: &str) -> Result<BTreeSet<String>> {
        let path = self.snapshot(commit).join(index);
        let bytes = std::fs::read(&path).map_err(|error| Error::reading(&path, &error))?;
        shards::listed(&bytes).map_err(|what| Error::CorruptModel(format!("{} {what}", path.display())))
    }

    pub fn is_absent(&self, commit: &str, name: &str) -> bool {
        self.absence(commit, name).is_file()
    }

    /// Remembers that the commit has no such file. Best effort: without the mark it is asked for again.
    pub fn mark_absent(&self, commit: &str, name: &str) {
        let path = self.absence(commit, name);
        if create_parent(&path).is_ok() {
            let _ = std::fs::OpenOptions::new().create(true).append(true).open(path);
        }
    }

    /// Points the snapshot's file at the blob, with a relative link so that the cache can be moved.
    pub fn link(&self, commit: &str, name: &str, etag: &str) -> io::Result<()> {
        let pointer = self.snapshot(commit).join(name);
        create_parent(&pointer)?;
        let target = PathBuf::from("../".repeat(2 + name.matches('/').count())).join("blobs").join(etag);
        if std::fs::read_link(&pointer).is_ok_and(|existing| existing == target) {
            return Ok(());
        }
        match std::fs::remove_file(&pointer) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        match symlink(&target, &pointer) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // A file system without links: the file itself takes the place, as huggingface_hub does it.
            Err(_) => std::fs::rename(self.blob(etag), &pointer),
        }
    }

    /// Records what a branch or tag stands for, in one step, so that no reader sees half a name.
    pub fn write_ref(&self, revision: &str, commit: &str) -> io::Result<()> {
        if is_commit(revision) || self.commit_of(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.reference(revision);
        create_parent(&path)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", crate::random::hex()));
        let temporary = path.with_file_name(name);
        std::fs::write(&temporary, commit)
            .and_then(|()| std::fs::rename(&temporary, &path))
            .inspect_err(|_| drop(std::fs::remove_file(&temporary)))
    }

    /// Removes what writers of this blob left behind when they were killed. Only under the blob's lock, which every
    /// living writer holds.
    pub fn sweep(&self, etag: &str) {
        let Ok(entries) = std::fs::read_dir(self.blobs()) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(etag)) else { continue };
            if rest.starts_with('.') && rest.ends_with(".incomplete") && rest != ".incomplete" {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// A full commit hash: what never changes its content.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An ETag names a file here, so it must not be able to name another one.
pub(super) fn is_etag(etag: &str) -> bool {
    !etag.starts_with('.') && (1..=200).contains(&etag.len()) && etag.bytes().all(is_word_byte)
}

pub(super) fn create_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn is_repo_word(word: &str) -> bool {
    !word.is_empty() && !word.starts_with('.') && word.bytes().all(is_word_byte)
}

fn is_relative(path: &str) -> bool {
    !path.contains(['\\', '\0']) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(repo_id: &str, revision: &str, file: &str) -> Source {
        Source { repo_id: repo_id.into(), revision: revision.into(), files: vec![FileSpec::required(file)] }
    }

    #[test]
    fn names_that_leave_the_cache_are_refused() {
        let check =
            |repo: &str, revision: &str, file: &str| Layout::new(Path::new("/c"), &source(repo, revision, file));
        assert!(check("org/name", "refs/pr/1", "onnx/model.onnx").is_ok());
        assert!(check("gpt2", "main", "config.json").is_ok());
        for (repo, revision, file) in [
            ("../etc", "main", "f"),
            ("a/b/c", "main", "f"),
            ("", "main", "f"),
            ("a/b", "../main", "f"),
            ("a/b", "/main", "f"),
            ("a/b", "", "f"),
            ("a/b", "main", "../f"),
            ("a/b", "main", "/etc/passwd"),
            ("a/b", "main", "a\\b"),
        ] {
            assert!(matches!(check(repo, revision, file), Err(Error::InvalidArgument(_))), "{repo} {revision} {file}");
        }
        assert!(!is_etag("../x") && !is_etag("") && !is_etag(".x") && is_etag("ab-12"));
    }
}

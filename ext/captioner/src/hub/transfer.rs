//! One file from the hub into the cache: its temporary, its bytes, its check, its name.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use ureq::http::StatusCode;

use super::client::{Client, Meta};
use super::failure::{Attempt, Failure};
use super::headers::{number, text};
use super::retry::Retry;
use super::verify::{verify, Expected};
use super::{storage_error, Phase, Settings, Stop};
use crate::error::{Error, Result};

/// So much more since the last failure counts as progress.
const PROGRESS: u64 = 1 << 20;

/// A file under way, with a name of its own that ends in `.incomplete`; removed unless it gets its final name.
#[derive(Debug)]
pub(super) struct Temp {
    path: PathBuf,
    file: File,
    length: u64,
    kept: bool,
}

impl Temp {
    pub fn create(blob: &Path) -> io::Result<Self> {
        super::layout::create_parent(blob)?;
        let mut name = blob.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.incomplete", crate::random::hex()));
        let path = blob.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Temp { path, file, length: 0, kept: false })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> io::Result<()> {
        self.length = 0;
        self.file.set_len(0)?;
        self.file.rewind()
    }

    /// Gives the file its final name, in one step and only once its bytes are on the disk.
    pub fn persist(mut self, blob: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, blob)?;
        self.kept = true;
        // The name too must survive a power cut; where a folder cannot be synced there is nothing more to do.
        if let Some(folder) = blob.parent().and_then(|folder| File::open(folder).ok()) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What one transfer needs.
pub(super) struct Transfer<'a> {
    pub client: &'a Client,
    pub settings: &'a Settings,
    pub stop: &'a Stop,
    pub repo_id: &'a str,
    pub name: &'a str,
    pub meta: &'a Meta,
    pub expected: &'a Expected,
    /// Bytes that are taken where nobody says how many there are.
    pub most: u64,
}

impl Transfer<'_> {
    /// Fills `temp` and checks it; `report` hears of every chunk. Fails with `Download` after the retries,
    /// `ModelUnavailable` when the hub refuses, `Interrupted` when asked to stop.
    pub fn run(&self, temp: &mut Temp, report: &mut dyn FnMut(Phase, u64)) -> Result<()> {
        let mut retry = Retry::new(format!("download {} of {}", self.name, self.repo_id), self.settings, self.stop);
        // The ETag of whoever sends the bytes, which need not be the hub's.
        let mut sender_etag = None;
        let mut progress_at = PROGRESS;
        loop {
            let (why, after) = match self.attempt(temp, &mut sender_etag, report) {
                Ok(()) => {
                    report(Phase::Verifying, temp.length);
                    match verify(&temp.path, self.expected, self.stop)? {
                        Ok(()) => return Ok(()),
                        Err(why) => {
                            self.restart(temp)?;
                            (format!("the file that came is not the hub's: {why}"), None)
                        }
                    }
                }
                Err(Failure::Retry { why, after }) => (why, after),
                Err(Failure::Absent { error, .. } | Failure::Final(error)) => return Err(error),
            };
            if temp.length >= progress_at {
                retry.progressed();
            }
            retry.pause(&why, after)?;
            progress_at = temp.length + PROGRESS;
        }
    }

    fn restart(&self, temp: &mut Temp) -> Result<()> {
        temp.restart().map_err(|error| storage_error("write", &temp.path, &error, self.expected.size))
    }

    fn attempt(
        &self,
        temp: &mut Temp,
        sender_etag: &mut Option<String>,
        report: &mut dyn FnMut(Phase, u64),
    ) -> Attempt<()> {
        let from = temp.length;
        let etag = sender_etag.as_deref();
        let response = self.client.open(self.repo_id, &self.meta.commit, self.name, from, etag)?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            self.restart(temp)?;
            return Err(Failure::retry(format!("the server has nothing after byte {from}")));
        }
        if response.status() == StatusCode::PARTIAL_CONTENT {
            let range = text(&response, "content-range").unwrap_or_default();
            if from == 0 || !continues(&range, from, self.expected.size) {
                self.restart(temp)?;
                return Err(Failure::retry(format!(
                    "the range sent ({range:?}) is not the one asked for (from {from})"
                )));
            }
        } else {
            self.restart(temp)?;
        }
        let announced = number(&response, "content-length").map(|length| length.saturating_add(temp.length));
        if let Some(announced) = announced.filter(|announced| *announced > self.most) {
            self.restart(temp)?;
            return Err(Failure::retry(format!("{announced} bytes are announced, more than any such file has")));
        }
        if let (Some(announced), Some(size)) = (announced, self.expected.size) {
            if announced != size {
                self.restart(temp)?;
                return Err(Failure::retry(format!("{announced} bytes are announced instead of {size}")));
            }
        }
        *sender_etag = text(&response, "etag").filter(|etag| etag.starts_with('"'));
        self.receive(response.into_body().into_reader(), temp, announced.or(self.expected.size), report)
    }

    fn receive(
        &self,
        mut body: impl Read,
        temp: &mut Temp,
        size: Option<u64>,
        report: &mut dyn FnMut(Phase, u64),
    ) -> Attempt<()> {
        let mut buffer = vec![0; 1 << 17];
        loop {
            report(Phase::Downloading, temp.length);
            self.stop.check()?;
            let count = match body.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.stop.check()?;
                    return Err(Failure::retry(format!("the connection broke after {} bytes: {error}", temp.length)));
                }
            };
            if count == 0 {
                break;
            }
            temp.append(&buffer[..count]).map_err(|error| storage_error("write", &temp.path, &error, size))?;
            if temp.length > size.unwrap_or(self.most) {
                self.restart(temp)?;
                let (most, said) = size.map_or((self.most, "that any such file has"), |size| (size, "announced"));
                return Err(Failure::retry(format!("more bytes came than the {most} {said}")));
            }
        }
        // A connection that was shut down to stop looks like an end.
        self.stop.check()?;
        match size {
            Some(size) if temp.length < size => {
                Err(Failure::retry(format!("the connection ended after {} of {size} bytes", temp.length)))
            }
            _ => Ok(()),
        }
    }
}

/// Whether `Content-Range` starts at `from` and belongs to a file of the expected length.
fn continues(range: &str, from: u64, size: Option<u64>) -> bool {
    let Some((span, total)) = range.strip_prefix("bytes ").and_then(|range| range.split_once('/')) else {
        return false;
    };
    let starts = span.split('-').next().and_then(|start| start.parse().ok()) == Some(from);
    let fits = match (total.parse::<u64>(), size) {
        (Ok(total), Some(size)) => total == size,
        _ => true,
    };
    starts && fits
}

/// The error of a hub whose own words contradict the pins: no retry makes it right.
pub(super) fn contradiction(what: &str, said: &str, pinned: &str) -> Error {
    Error::CorruptModel(format!(
        "the hub has another {what} than the one this version is made for: {said} instead of {pinned}; check HF_ENDPOINT"
    ))
}

#[cfg(test)]
mod tests {
    use super::continues;

    #[test]
    fn only_the_range_asked_for_continues_a_file() {
        assert!(continues("bytes 5-9/10", 5, Some(10)));
        assert!(continues("bytes 5-9/*", 5, Some(10)));
        assert!(!continues("bytes 4-9/10", 5, Some(10)));
        assert!(!continues("bytes 5-9/11", 5, Some(10)));
        assert!(!continues("", 5, None));
    }
}

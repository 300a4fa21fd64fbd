//! What the worker does: ask, lock, fetch, check, link.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::client::{Client, Meta};
use super::failure::{Attempt, Failure};
use super::layout::{is_commit, Layout};
use super::lock::Lock;
use super::retry::Retry;
use super::transfer::{contradiction, Temp, Transfer};
use super::verify::{verify, Expected};
use super::{storage_error, FileSpec, Message, Phase, Progress, Settings, Source, Stop};
use crate::error::{Error, Result};
use crate::{foreign, shards};

/// Often enough for a progress bar, seldom enough to cost nothing.
const REPORT_EVERY: Duration = Duration::from_millis(50);

pub(super) struct Job {
    pub settings: Settings,
    pub source: Source,
    pub layout: Layout,
    pub client: Client,
    pub stop: Stop,
    pub messages: Sender<Message>,
}

/// A file that is still to come.
struct Item {
    spec: FileSpec,
    meta: Meta,
    expected: Expected,
}

/// What is to be fetched, and of which commit, as soon as the hub has said it.
struct Plan {
    commit: Option<String>,
    items: Vec<Item>,
}

impl Plan {
    fn revision<'a>(&'a self, source: &'a Source) -> &'a str {
        self.commit.as_deref().unwrap_or(&source.revision)
    }
}

/// The sums over all files of the job.
#[derive(Default, Clone, Copy)]
struct Overall {
    done: u64,
    total: Option<u64>,
}

impl Job {
    /// Fetches what is missing and returns the snapshot's folder.
    pub fn run(&self) -> Result<PathBuf> {
        let (commit, items) = match self.plan() {
            Ok(plan) => plan,
            Err(error) => return self.fallback(error),
        };
        let mut overall = Overall { done: 0, total: items.iter().map(|item| item.meta.size).sum() };
        for item in &items {
            self.obtain(&commit, item, overall)?;
            overall.done += item.meta.size.unwrap_or(0);
        }
        // After the files, so that what a name stands for offline is always whole.
        if let Err(error) = self.layout.write_ref(&self.source.revision, &commit) {
            if !items.is_empty() {
                return Err(storage_error("write the reference of", &self.layout.snapshot(&commit), &error, None));
            }
        }
        Ok(self.layout.snapshot(&commit))
    }

    /// What the cache has when the hub could not be asked: all that a commit can have, or the last state of a branch
    /// when the trouble is the network's.
    fn fallback(&self, error: Error) -> Result<PathBuf> {
        let unreachable = matches!(error, Error::Download(_)) || self.client.way_out().is_err();
        let tolerable = is_commit(&self.source.revision) || unreachable;
        match super::find(&self.layout, &self.source) {
            Some(snapshot) if tolerable && !matches!(error, Error::Interrupted) => Ok(snapshot),
            _ => Err(error),
        }
    }

    /// Asks the hub about every file that the cache does not have.
    fn plan(&self) -> Result<(String, Vec<Item>)> {
        let commit = Some(self.source.revision.clone()).filter(|revision| is_commit(revision));
        let mut plan = Plan { commit, items: Vec::new() };
        // Required files first: they say which commit a branch stands for.
        let (required, optional): (Vec<_>, Vec<_>) = self.source.files.iter().partition(|file| file.required);
        for file in required.into_iter().chain(optional) {
            if plan.commit.as_ref().is_some_and(|commit| self.layout.satisfies(commit, file)) {
                continue;
            }
            if let Some(absent) = self.add(&mut plan, file)? {
                self.add_instead(&mut plan, file, absent)?;
            }
        }
        // Optional files are there before the last required one: what counts as whole has all that there is.
        plan.items.sort_by_key(|item| item.spec.required);
        match plan.commit {
            Some(commit) => Ok((commit, plan.items)),
            None => Err(Error::InvalidArgument(format!("no file of {} is asked for", self.source.repo_id))),
        }
    }

    /// Plans a file; gives the error of one that the repository does not have.
    fn add(&self, plan: &mut Plan, file: &FileSpec) -> Result<Option<Error>> {
        if let Some(commit) = &plan.commit {
            if self.layout.has(commit, file) || (!file.required && self.layout.is_absent(commit, &file.name)) {
                return Ok(None);
            }
        }
        match self.ask(plan.revision(&self.source), file) {
            Ok(meta) => {
                let known = plan.commit.get_or_insert_with(|| meta.commit.clone());
                if *known != meta.commit {
                    return Err(contradiction("commit", &meta.commit, known));
                }
                if !self.layout.has(&meta.commit, file) {
                    plan.items.push(Item { expected: expected(file, &meta)?, spec: file.clone(), meta });
                }
                Ok(None)
            }
            Err(Failure::Absent { commit: at, error }) => {
                if let Some(at) = &at {
                    self.layout.mark_absent(at, &file.name);
                }
                plan.commit = plan.commit.take().or(at);
                Ok(Some(error))
            }
            Err(Failure::Final(error)) => Err(error),
            Err(Failure::Retry { why, .. }) => Err(Error::Download(why)),
        }
    }

    /// Plans what does in place of an absent file.
    fn add_instead(&self, plan: &mut Plan, file: &FileSpec, absent: Error) -> Result<()> {
        for name in &file.instead {
            if self.add(plan, &FileSpec::required(name))?.is_some() {
                continue;
            }
            if name.ends_with(shards::INDEX) {
                self.add_listed(plan, name)?;
            }
            return Ok(());
        }
        if file.required {
            return Err(self.explained(plan, file, absent));
        }
        Ok(())
    }

    /// Fetches an index, and plans the files that it lists.
    fn add_listed(&self, plan: &mut Plan, index: &str) -> Result<()> {
        let Some(commit) = plan.commit.clone() else { return Ok(()) };
        if let Some(at) = plan.items.iter().position(|item| item.spec.name == index) {
            self.obtain(&commit, &plan.items.remove(at), Overall::default())?;
        }
        for name in self.layout.listed(&commit, index)? {
            if let Some(absent) = self.add(plan, &FileSpec::required(&name))? {
                return Err(absent);
            }
        }
        Ok(())
    }

    /// The error of a repository without a file that is needed: what it has instead, if it is something that is known.
    fn explained(&self, plan: &Plan, file: &FileSpec, absent: Error) -> Error {
        let (repo, revision) = (&self.source.repo_id, plan.revision(&self.source));
        let is_there = |name: &&str| self.client.metadata(repo, revision, name).is_ok();
        let found = foreign::in_place_of(&file.name).iter().copied().find(is_there);
        let advice = found.and_then(|name| foreign::advice(&format!("{repo} at {revision}"), name));
        advice.map_or(absent, Error::UnsupportedModel)
    }

    fn ask(&self, revision: &str, file: &FileSpec) -> Attempt<Meta> {
        let ask = || self.client.metadata(&self.source.repo_id, revision, &file.name);
        // With a whole copy at hand it is not worth waiting for a hub that is down.
        if super::find(&self.layout, &self.source).is_some() {
            return ask();
        }
        Retry::new(format!("ask the hub for {} of {}", file.name, self.source.repo_id), &self.settings, &self.stop)
            .run(ask)
    }

    /// Brings one file into the snapshot; of several processes only one fetches it.
    fn obtain(&self, commit: &str, item: &Item, overall: Overall) -> Result<()> {
        let blob = self.layout.blob(&item.meta.etag);
        let mut report = self.reporter(item, overall);
        let lock = Lock::acquire(&self.layout.lock(&item.meta.etag), &self.stop, || report(Phase::Waiting, 0))?;
        if self.layout.has(commit, &item.spec) {
            report(Phase::Done, item.expected.size.unwrap_or(0));
            return Ok(());
        }
        let storage = |error: std::io::Error| storage_error("write", &blob, &error, item.expected.size);
        let present = blob.is_file() && {
            report(Phase::Verifying, 0);
            verify(&blob, &item.expected, &self.stop)?.is_ok()
        };
        if !present {
            if lock.exclusive {
                self.layout.sweep(&item.meta.etag);
            }
            let mut temp = Temp::create(&blob).map_err(storage)?;
            super::storage::check_space(&blob, item.expected.size)?;
            let transfer = Transfer {
                client: &self.client,
                settings: &self.settings,
                stop: &self.stop,
                repo_id: &self.source.repo_id,
                name: &item.spec.name,
                meta: &item.meta,
                expected: &item.expected,
                most: item.spec.most(),
            };
            transfer.run(&mut temp, &mut report)?;
            temp.persist(&blob).map_err(storage)?;
        }
        self.layout.link(commit, &item.spec.name, &item.meta.etag).map_err(storage)?;
        report(Phase::Done, item.expected.size.unwrap_or(0));
        Ok(())
    }

    /// Sends progress to the caller, thinned out, but never without the first word of a phase.
    fn reporter<'a>(&'a self, item: &'a Item, overall: Overall) -> impl FnMut(Phase, u64) + 'a {
        let mut last: Option<(Phase, Instant)> = None;
        move |phase, downloaded| {
            if last.is_some_and(|(before, at)| before == phase && at.elapsed() < REPORT_EVERY) {
                return;
            }
            last = Some((phase, Instant::now()));
            // A caller that has gone no longer wants to know.
            let _ = self.messages.send(Message::Progress(Progress {
                phase,
                file: item.spec.name.clone(),
                downloaded,
                total: item.expected.size,
                overall_downloaded: overall.done + downloaded,
                overall_total: overall.total,
            }));
        }
    }
}

/// What the file must be, from the pin and from the hub. Fails with `CorruptModel` when they contradict each other.
fn expected(file: &FileSpec, meta: &Meta) -> Result<Expected> {
    let is_hex = |length: usize| meta.etag.len() == length && meta.etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let (Some(pinned), Some(said)) = (file.size, meta.size) {
        if pinned != said {
            return Err(contradiction(&file.name, &format!("{said} bytes"), &format!("{pinned} bytes")));
        }
    }
    if let Some(said) = meta.size.filter(|size| *size > file.most()) {
        return Err(Error::ModelUnavailable(format!(
            "{} has {said} bytes, as the hub says: no model's is as large; check the repository and HF_ENDPOINT",
            file.name
        )));
    }
    let etag_sha256 = Some(meta.etag.clone()).filter(|_| is_hex(64));
    if let (Some(pinned), Some(said)) = (&file.sha256, &etag_sha256) {
        if !pinned.eq_ignore_ascii_case(said) {
            return Err(contradiction(&file.name, &format!("sha256 {said}"), pinned));
        }
    }
    let sha256 = file.sha256.clone().or(etag_sha256);
    let sha1 = Some(meta.etag.clone()).filter(|_| sha256.is_none() && is_hex(40));
    Ok(Expected { size: file.size.or(meta.size), sha256, sha1 })
}

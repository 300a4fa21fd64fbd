//! The process-global cache of captioners: one load per model, however many threads ask.

mod forks;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::captioner::Captioner;
use crate::{Error, Result};

pub use forks::survive_forks;

static CACHE: Cache = Cache { entries: Mutex::new(BTreeMap::new()), changed: Condvar::new(), clock: AtomicU64::new(0) };

/// How often a thread that waits for another's load looks at its wish to stop.
const POLL: Duration = Duration::from_millis(20);

type Entries = BTreeMap<String, Entry>;

struct Cache {
    entries: Mutex<Entries>,
    changed: Condvar,
    clock: AtomicU64,
}

enum Entry {
    /// A thread of the process with this id is loading it.
    Loading(u32),
    /// Loaded; the number says when it was last asked for.
    Ready(Arc<Captioner>, u64),
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Nothing that can panic runs under the lock, and the map is whole after every statement.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes out the models that were asked for the longest time ago, but not `keep`, until the rest fits into `limit` bytes.
/// Captions that run on one of them keep it until they end.
fn evict(entries: &mut Entries, keep: &str, limit: usize) -> Vec<Entry> {
    let mut evicted = Vec::new();
    loop {
        let ready = || {
            entries.iter().filter_map(|(key, entry)| match entry {
                Entry::Ready(captioner, used) => Some((key, captioner, *used)),
                Entry::Loading(_) => None,
            })
        };
        let total: usize = ready().map(|(_, captioner, _)| captioner.bytes()).sum();
        let oldest = ready().filter(|(key, ..)| *key != keep).min_by_key(|(.., used)| *used);
        match oldest.map(|(key, ..)| key.clone()) {
            Some(key) if total > limit => evicted.extend(entries.remove(&key)),
            _ => return evicted,
        };
    }
}

/// Takes the mark of a load away again if the load did not succeed, also when it panics.
struct Mark<'a>(&'a str);

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        let mut entries = CACHE.lock();
        if matches!(entries.get(self.0), Some(Entry::Loading(_))) {
            entries.remove(self.0);
        }
        CACHE.changed.notify_all();
    }
}

/// The captioner `key`, loaded by `load` if it is not there; other threads wait for the one that loads. A failed load
/// leaves nothing behind, and one of those who waited tries again. With a `limit` in bytes, a load drops the models that
/// were used least recently.
///
/// # Errors
/// Those of `load`, and `Interrupted` if `stop` is set while waiting.
pub fn fetch(
    key: &str,
    limit: Option<usize>,
    stop: &AtomicBool,
    load: impl FnOnce() -> Result<Captioner>,
) -> Result<Arc<Captioner>> {
    let now = CACHE.clock.fetch_add(1, Ordering::Relaxed);
    let mut entries = CACHE.lock();
    loop {
        match entries.get_mut(key) {
            Some(Entry::Ready(captioner, used)) => {
                *used = now;
                return Ok(captioner.clone());
            }
            // A mark that a fork left over belongs to a thread that is not here.
            Some(Entry::Loading(pid)) if *pid == std::process::id() => {
                if stop.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted);
                }
                let wait = CACHE.changed.wait_timeout(entries, POLL);
                entries = wait.unwrap_or_else(PoisonError::into_inner).0;
            }
            _ => break,
        }
    }
    entries.insert(key.to_string(), Entry::Loading(std::process::id()));
    drop(entries);
    let mark = Mark(key);
    let captioner = Arc::new(load()?);
    let mut entries = CACHE.lock();
    entries.insert(key.to_string(), Entry::Ready(captioner.clone(), now));
    let evicted = limit.map(|limit| evict(&mut entries, key, limit));
    drop(entries);
    // The mark is gone; from here on one of this name is another thread's.
    std::mem::forget(mark);
    CACHE.changed.notify_all();
    // Memory is given back where nobody waits for the lock.
    drop(evicted);
    Ok(captioner)
}

/// The captioner `key` if it is loaded.
pub fn find(key: &str) -> Option<Arc<Captioner>> {
    let now = CACHE.clock.fetch_add(1, Ordering::Relaxed);
    match CACHE.lock().get_mut(key) {
        Some(Entry::Ready(captioner, used)) => {
            *used = now;
            Some(captioner.clone())
        }
        _ => None,
    }
}

/// Keys and weight bytes of what is loaded, sorted by key.
pub fn loaded() -> Vec<(String, usize)> {
    let entries = CACHE.lock();
    let loaded = entries.iter().filter_map(|(key, entry)| match entry {
        Entry::Ready(captioner, _) => Some((key.clone(), captioner.bytes())),
        Entry::Loading(_) => None,
    });
    loaded.collect()
}

/// Forgets a model and gives it to the caller if it was there. Captions that run on it keep it until they end.
pub fn unload(key: &str) -> Option<Arc<Captioner>> {
    let mut entries = CACHE.lock();
    match entries.get(key)? {
        Entry::Loading(_) => None,
        Entry::Ready(captioner, _) => {
            let captioner = captioner.clone();
            entries.remove(key);
            Some(captioner)
        }
    }
}

//! The process-global cache of captioners: one load per model, however many threads ask.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use once_cell::sync::Lazy;

use crate::captioner::Captioner;
use crate::{Error, Result};

static CACHE: Lazy<Cache> = Lazy::new(Cache::default);

/// How often a thread that waits for another's load looks at its wish to stop.
const POLL: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Cache {
    entries: Mutex<HashMap<String, Entry>>,
    changed: Condvar,
}

enum Entry {
    /// A thread of the process with this id is loading it.
    Loading(u32),
    Ready(Arc<Captioner>),
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        // Nothing that can panic runs under the lock, and the map is whole after every statement.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
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
/// leaves nothing behind, and one of those who waited tries again.
///
/// # Errors
/// Those of `load`, and `Interrupted` if `stop` is set while waiting.
pub fn fetch(key: &str, stop: &AtomicBool, load: impl FnOnce() -> Result<Captioner>) -> Result<Arc<Captioner>> {
    let mut entries = CACHE.lock();
    loop {
        match entries.get(key) {
            Some(Entry::Ready(captioner)) => return Ok(captioner.clone()),
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
    let _mark = Mark(key);
    let captioner = Arc::new(load()?);
    CACHE.lock().insert(key.to_string(), Entry::Ready(captioner.clone()));
    Ok(captioner)
}

/// Keys and weight bytes of what is loaded, sorted by key.
pub fn loaded() -> Vec<(String, usize)> {
    let entries = CACHE.lock();
    let mut loaded: Vec<_> = entries
        .iter()
        .filter_map(|(key, entry)| match entry {
            Entry::Ready(captioner) => Some((key.clone(), captioner.bytes())),
            Entry::Loading(_) => None,
        })
        .collect();
    loaded.sort();
    loaded
}

/// Forgets a model and says whether it was there. Captions that run on it keep it until they end.
pub fn unload(key: &str) -> bool {
    let mut entries = CACHE.lock();
    match entries.get(key) {
        Some(Entry::Ready(_)) => entries.remove(key).is_some(),
        _ => false,
    }
}

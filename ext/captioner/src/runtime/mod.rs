//! The thread pool of this process and the wish to stop.
//!
//! A pool's threads do not survive `fork`, so the pool is keyed by the process id: a child that finds its parent's pool
//! leaks it (its threads are gone, dropping it would wait for them) and builds its own.

mod lead;
mod pages;
mod team;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use rayon::ThreadPoolBuilder;

pub use lead::lead;
pub use pages::zeros;
pub use rayon::ThreadPool;
pub use team::{each, together};

use crate::{Error, Result};

/// The pool that was built last: whose it is, how many threads were asked for, and the pool.
static POOL: Mutex<Option<(u32, usize, &'static ThreadPool)>> = Mutex::new(None);
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Sets the number of compute threads; 0 stands for one per available CPU. Takes effect at the next caption.
pub fn set_threads(threads: usize) {
    THREADS.store(threads, Ordering::Relaxed);
}

/// The number of compute threads in force.
pub fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    }
}

/// This process's pool. A forking host calls this where no fork can happen at the same time (in Ruby: with the GVL held),
/// so that a child never inherits the lock taken.
pub fn pool() -> Result<&'static ThreadPool> {
    let mut slot = POOL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (pid, threads) = (std::process::id(), threads());
    if let Some((owner, size, pool)) = *slot {
        if owner == pid && size == threads {
            return Ok(pool);
        }
    }
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("captioner-{i}"))
        .build()
        .map_err(|error| Error::Internal(format!("cannot start {threads} compute threads: {error}")))?;
    // Leaked on purpose: a caption may still run on the pool that is replaced, and after a fork it has no threads.
    let pool: &'static ThreadPool = Box::leak(Box::new(pool));
    *slot = Some((pid, threads, pool));
    Ok(pool)
}

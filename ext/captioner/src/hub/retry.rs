//! Stopping, and pausing between attempts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::failure::{Attempt, Failure};
use super::Settings;
use crate::error::{Error, Result};

const MAX_PAUSE: Duration = Duration::from_secs(20);

/// The wish to stop, shared by the caller and the worker.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Fails with `Interrupted` once it is set.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Acquire) {
            return Err(Error::Interrupted);
        }
        Ok(())
    }

    /// Sleeps, but not past the wish to stop.
    pub fn sleep(&self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}

/// Counts the failures of one piece of work and makes the pauses between them.
#[derive(Debug)]
pub(super) struct Retry<'a> {
    what: String,
    retries: u32,
    base: Duration,
    failures: u32,
    stop: &'a Stop,
}

impl<'a> Retry<'a> {
    pub fn new(what: String, settings: &Settings, stop: &'a Stop) -> Self {
        Retry { what, retries: settings.retries, base: settings.backoff, failures: 0, stop }
    }

    /// A connection that brought something is worth another try.
    pub fn progressed(&mut self) {
        self.failures = 0;
    }

    /// Pauses after a failure. Fails with `Download` when there were too many of them in a row.
    pub fn pause(&mut self, why: &str, after: Option<Duration>) -> Result<()> {
        self.stop.check()?;
        self.failures += 1;
        if self.failures > self.retries {
            let times = if self.failures == 1 { "once".into() } else { format!("{} times in a row", self.failures) };
            return Err(Error::Download(format!(
                "cannot {}, tried {times}: {why}. Nothing half-done was kept; try again later, or set HF_ENDPOINT to another hub",
                self.what
            )));
        }
        let doubled = self.base.saturating_mul(1 << (self.failures - 1).min(16)).min(MAX_PAUSE);
        // Spread out, so that processes that failed together do not come back together.
        let jittered = doubled.mul_f64(0.5 + (crate::random::number() % 1024) as f64 / 1024.0);
        self.stop.sleep(after.unwrap_or(jittered))
    }

    /// Runs `attempt` until it succeeds, or fails for good.
    pub fn run<T>(&mut self, mut attempt: impl FnMut() -> Attempt<T>) -> Attempt<T> {
        loop {
            match attempt() {
                Err(Failure::Retry { why, after }) => self.pause(&why, after)?,
                done => return done,
            }
        }
    }
}

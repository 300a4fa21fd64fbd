//! What a decoder is told besides the bytes.

use std::sync::atomic::{AtomicBool, Ordering};

use super::limits::Failure;
use super::Limits;

/// One load in the making: its limits, and the wish to end it.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) limits: &'a Limits,
    stop: &'a AtomicBool,
}

impl<'a> Context<'a> {
    pub(super) fn new(limits: &'a Limits, stop: &'a AtomicBool) -> Self {
        Context { limits, stop }
    }

    /// Asked every few rows: an error once the caller wants to stop.
    pub(super) fn go_on(&self) -> Result<(), Failure> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        Ok(())
    }

    /// Refuses a size of zero and a size beyond the limit; otherwise returns the number of pixels.
    pub(super) fn check(&self, width: u64, height: u64) -> Result<usize, Failure> {
        self.limits.check(width, height)
    }
}

//! A lock between processes that waits.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{flock, FlockOperation};
use rustix::io::Errno;

use super::{storage_error, Stop};
use crate::error::Result;

const POLL: Duration = Duration::from_millis(50);

/// A held `flock`, given back when dropped. huggingface_hub takes the same lock on the same file.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    /// False where the file system has no locks; two writers then cost bandwidth, never a file.
    pub exclusive: bool,
}

impl Lock {
    /// Waits for the lock as long as it takes and calls `waiting` at each look. Fails with `Interrupted` when asked to
    /// stop, and as [`storage_error`] says when the lock file cannot be made.
    pub fn acquire(path: &Path, stop: &Stop, mut waiting: impl FnMut()) -> Result<Self> {
        let open = || {
            super::layout::create_parent(path)?;
            // Group-writable, as huggingface_hub makes it, so that the users of a shared cache can wait for each other.
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o664).open(path)
        };
        loop {
            let file = open().map_err(|error| storage_error("lock", path, &error, None))?;
            loop {
                match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => break,
                    Err(Errno::WOULDBLOCK | Errno::INTR) => {
                        waiting();
                        stop.sleep(POLL)?;
                    }
                    Err(Errno::NOLCK | Errno::NOSYS | Errno::OPNOTSUPP) => return Ok(Lock { file, exclusive: false }),
                    Err(error) => return Err(storage_error("lock", path, &error.into(), None)),
                }
            }
            // Its last holder may have removed the file meanwhile; such a lock guards no name.
            if file.metadata().is_ok_and(|metadata| metadata.nlink() > 0) {
                return Ok(Lock { file, exclusive: true });
            }
        }
    }
}

/// Explicitly: a child forked meanwhile shares the descriptor, and closing ours would leave the lock with it.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

//! The lock beside a packed file, for whoever makes it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use crate::{Error, Result};

const POLL: Duration = Duration::from_millis(50);

/// A lock that is given back when dropped, or when the process ends.
pub struct Lock {
    pub file: File,
    /// False where the file system has no locks: several may then do the same work, each under a temporary name of its own.
    pub is_exclusive: bool,
}

impl Lock {
    /// Waits for the lock of the packed file `path`.
    ///
    /// # Errors
    /// `ModelUnavailable` where its file cannot be made, `Interrupted` when `stop` says so.
    pub fn acquire(path: &Path, stop: &dyn Fn() -> bool) -> Result<Self> {
        let place = path.with_extension("lock");
        let failed = |error: std::io::Error| {
            Error::ModelUnavailable(format!(
                "cannot write {}: {error}; set cache_dir (MEME_CAPTIONER_CACHE_DIR) to a folder that this user may write to",
                place.display()
            ))
        };
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&place).map_err(failed)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file, is_exclusive: true }),
                Err(TryLockError::WouldBlock) if stop() => return Err(Error::Interrupted),
                Err(TryLockError::WouldBlock) => std::thread::sleep(POLL),
                Err(TryLockError::Error(_)) => return Ok(Self { file, is_exclusive: false }),
            }
        }
    }
}

/// Explicitly: a child that was forked meanwhile has the file open too, and would keep the lock.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy of the handle is what a child has.
    #[test]
    fn a_child_that_was_forked_meanwhile_does_not_keep_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let lock = Lock::acquire(&path, &|| false).unwrap();
        let childs = lock.file.try_clone().unwrap();
        assert!(matches!(Lock::acquire(&path, &|| true), Err(Error::Interrupted)));
        drop(lock);
        assert!(Lock::acquire(&path, &|| true).unwrap().is_exclusive);
        drop(childs);
    }
}

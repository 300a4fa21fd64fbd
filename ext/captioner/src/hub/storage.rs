//! The disk below the cache: its errors in words, and its free space.

use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// The error of a cache that cannot be written: permanent where its owner must act, transient when space is short.
pub(super) fn storage_error(action: &str, path: &Path, error: &io::Error, needed: Option<u64>) -> Error {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let what = format!("cannot {action} {}: {error}", path.display());
    match error.kind() {
        StorageFull | QuotaExceeded => Error::Download(format!(
            "{what}; {}free some space or set HF_HUB_CACHE to a larger disk",
            needed.map(|bytes| format!("the file needs {bytes} bytes; ")).unwrap_or_default()
        )),
        PermissionDenied | ReadOnlyFilesystem | NotADirectory | NotFound => Error::ModelUnavailable(format!(
            "{what}; set HF_HUB_CACHE or HF_HOME to a folder that this user may write to"
        )),
        _ => Error::Download(format!("{what}; check the disk below the cache")),
    }
}

/// Fails with `Download` when the file cannot fit, before the first byte is fetched.
pub(super) fn check_space(path: &Path, needed: Option<u64>) -> Result<()> {
    let Some(needed) = needed else { return Ok(()) };
    let Some(Ok(stat)) = path.parent().map(rustix::fs::statvfs) else { return Ok(()) };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    // Some network file systems report no size at all.
    if stat.f_blocks == 0 || free >= needed {
        return Ok(());
    }
    let error = io::Error::from(io::ErrorKind::StorageFull);
    Err(match storage_error("write", path, &error, Some(needed)) {
        Error::Download(message) => Error::Download(format!("{message} ({free} bytes are free)")),
        error => error,
    })
}

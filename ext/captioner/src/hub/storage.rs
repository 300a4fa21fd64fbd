//! The disk below the cache: its errors in words, and its free space.

use std::io;
use std::path::Path;

use crate::error::{Error, Result};

/// The error of a cache that cannot be written: permanent, whatever the reason, because its owner must act.
pub(super) fn storage_error(action: &str, path: &Path, error: &io::Error, needed: Option<u64>) -> Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let what = format!("cannot {action} {}: {error}", path.display());
    let settings = "HF_HUB_CACHE or MEME_CAPTIONER_CACHE_DIR";
    Error::ModelUnavailable(match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => {
            let needs = needed.map(|bytes| format!("the file needs {bytes} bytes; ")).unwrap_or_default();
            format!("{what}; {needs}free some space, or set {settings} to a folder with more room")
        }
        _ => format!("{what}; set {settings} to a folder that this user may write to"),
    })
}

/// Fails with `ModelUnavailable` when the file cannot fit, before the first byte is fetched.
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
        Error::ModelUnavailable(message) => Error::ModelUnavailable(format!("{message} ({free} bytes are free)")),
        error => error,
    })
}

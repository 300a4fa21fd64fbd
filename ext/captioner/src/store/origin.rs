//! Which folder a packed file was made from. Its lock says so, as the packed file itself has the same bytes wherever it is made.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::identity;

/// Notes that the packed file of this lock is made from the checkpoint in `dir`. One without a note is of unknown origin, so a
/// failure is none.
pub fn note(lock: &File, dir: &Path) {
    if let Ok(dir) = dir.canonicalize() {
        let _ = lock.set_len(0).and_then(|()| lock.write_all_at(dir.as_os_str().as_bytes(), 0));
    }
}

/// Whether the packed file at `path` is of another folder than `dir`: of one that is there, as it was when it was packed.
pub fn is_anothers(path: &Path, dir: &Path) -> bool {
    let Ok(noted) = std::fs::read(path.with_extension("lock")) else { return false };
    let origin = PathBuf::from(OsString::from_vec(noted));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    dir.canonicalize().is_ok_and(|dir| dir != origin)
        && identity::of_folder(&origin).is_ok_and(|identity| name.contains(&format!("@{identity}-")))
}

//! Paths between Ruby and Rust.

use std::path::{Path, PathBuf};

use magnus::{RString, Ruby};

/// A path with Ruby's bytes, which need not be UTF-8.
pub fn path(string: RString) -> PathBuf {
    // SAFETY: copied before Ruby runs again.
    let bytes = unsafe { string.as_slice() };
    PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}

/// A path as a Ruby string with the same bytes.
pub fn ruby_path(ruby: &Ruby, path: &Path) -> RString {
    ruby.enc_str_new(path.as_os_str().as_encoded_bytes(), ruby.utf8_encoding())
}

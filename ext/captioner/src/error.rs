//! The one error type of the core. Each variant becomes one Ruby class, and each message says what was wrong, with
//! which file, and what to do about it.

use std::path::{Path, PathBuf};

/// What can go wrong between a path and a caption.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The checkpoint is of a family or a format that is not built here. Retrying cannot help.
    #[error("{0}")]
    UnsupportedModel(String),
    /// The model's files cannot be fetched, read or written: 401, 403, 404, offline without a copy, a full disk, a folder that
    /// belongs to another user. Retrying cannot help.
    #[error("{0}")]
    ModelUnavailable(String),
    /// A model file is damaged, incomplete, or does not fit its configuration.
    #[error("{0}")]
    CorruptModel(String),
    /// The bytes are not an image that can be read.
    #[error("{0}")]
    UnreadableImage(String),
    /// The image has more pixels than the limit allows; nothing was allocated for it.
    #[error("{0}")]
    ImageTooLarge(String),
    /// The network, a server error, or a file whose hash stayed wrong after the retries. Retrying can help.
    #[error("{0}")]
    Download(String),
    /// No file at this path.
    #[error("No such file or directory - {}", .0.display())]
    NotFound(PathBuf),
    /// A wrong argument: an unknown task, zero beams.
    #[error("{0}")]
    InvalidArgument(String),
    /// A defect of this library: a caught panic or a broken invariant.
    #[error("{0}")]
    Internal(String),
    /// The caller asked to stop. Work that can be resumed has kept its state.
    #[error("interrupted")]
    Interrupted,
}

/// `Result` with the core's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A model's file that cannot be opened or read: `NotFound` or, where this user may not, `ModelUnavailable`; otherwise
    /// `CorruptModel`.
    pub fn reading(path: &Path, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Error::NotFound(path.to_path_buf()),
            std::io::ErrorKind::PermissionDenied => Error::ModelUnavailable(format!(
                "cannot read {}: {error}; let this user read it and the folders that it is in",
                path.display()
            )),
            _ => Error::CorruptModel(format!("cannot read {}: {error}", path.display())),
        }
    }
}

impl Error {
    /// The same error about a model, with the file at fault in front.
    pub fn within(self, path: &Path) -> Self {
        match self {
            Error::CorruptModel(what) => Error::CorruptModel(format!("{}: {what}", path.display())),
            Error::UnsupportedModel(what) => Error::UnsupportedModel(format!("{}: {what}", path.display())),
            other => other,
        }
    }
}

/// Shapes are checked where weights are loaded, so a tensor error inside a computation is a defect of ours.
impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Error::Internal(format!("tensor operation failed: {error}"))
    }
}

/// What a panic says.
pub(crate) fn panic_reason(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "unknown reason",
    }
}

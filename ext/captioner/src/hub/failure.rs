use std::time::Duration;

use crate::error::Error;

/// Why a request gave no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// May succeed when tried again.
    Retry { why: String, after: Option<Duration> },
    /// The commit, where the hub names it for certain, has no such file.
    Absent { commit: Option<String>, error: Error },
    /// No retry can help.
    Final(Error),
}

/// The result of one attempt.
pub(super) type Attempt<T> = std::result::Result<T, Failure>;

impl Failure {
    pub fn retry(why: impl Into<String>) -> Self {
        Failure::Retry { why: why.into(), after: None }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Final(error)
    }
}

//! Headers of an answer.

use ureq::http::Response;
use ureq::Body;

/// A header as text.
pub(super) fn text(response: &Response<Body>, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(|value| value.trim().to_owned())
}

/// A header as a number.
pub(super) fn number(response: &Response<Body>, name: &str) -> Option<u64> {
    text(response, name)?.parse().ok()
}

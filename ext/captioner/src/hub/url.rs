//! The hub's URLs.

use ureq::http::{header, Response, Uri};
use ureq::Body;

use super::failure::{Attempt, Failure};
use super::headers::text;
use crate::error::Error;

/// `{endpoint}/{repo}/resolve/{revision}/{file}`.
pub(super) fn resolve_url(endpoint: &Uri, repo_id: &str, revision: &str, name: &str) -> Attempt<Uri> {
    let endpoint = endpoint.to_string();
    let url = format!(
        "{}/{}/resolve/{}/{}",
        endpoint.trim_end_matches('/'),
        escape(repo_id, true),
        escape(revision, false),
        escape(name, true)
    );
    url.parse().map_err(|_| Failure::Final(Error::InvalidArgument(format!("{url} is not a URL"))))
}

/// Where a redirect leads; nothing when the response is none.
pub(super) fn target(response: &Response<Body>, url: &Uri) -> Attempt<Option<Uri>> {
    if !response.status().is_redirection() {
        return Ok(None);
    }
    let next = text(response, header::LOCATION.as_str()).and_then(|location| join(url, &location));
    match next {
        Some(next) if is_downgrade(url, &next) => Err(Failure::Final(Error::ModelUnavailable(format!(
            "{} redirects to {}, where anybody on the way could change the file; check HF_ENDPOINT and the proxy",
            printable(url),
            printable(&next)
        )))),
        Some(next) => Ok(Some(next)),
        None => {
            Err(Failure::retry(format!("{} answered {} without a usable Location", printable(url), response.status())))
        }
    }
}

/// Would a request that was encrypted go on in the open?
fn is_downgrade(from: &Uri, to: &Uri) -> bool {
    from.scheme_str() == Some("https") && to.scheme_str() != Some("https")
}

fn join(base: &Uri, location: &str) -> Option<Uri> {
    let origin = format!("{}://{}", base.scheme_str()?, base.authority()?);
    let location = location.split('#').next()?;
    let full = if location.starts_with("http://") || location.starts_with("https://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{}:{location}", base.scheme_str()?)
    } else if location.starts_with('/') {
        format!("{origin}{location}")
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{origin}{folder}/{location}")
    };
    full.parse().ok().filter(|uri: &Uri| uri.host().is_some())
}

/// Whether both are served by the same scheme, host and port: only then may they see the same token.
pub(super) fn same_origin(a: &Uri, b: &Uri) -> bool {
    let origin = |uri: &Uri| {
        let scheme = uri.scheme_str().unwrap_or_default().to_owned();
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        (scheme, uri.host().unwrap_or_default().to_ascii_lowercase(), port)
    };
    origin(a) == origin(b)
}

/// Whether the host is this machine by its very name.
pub(super) fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The URL without its query and user: signed links and passwords do not belong into a log.
pub(super) fn printable(url: &Uri) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme_str().unwrap_or("?"), url.host().unwrap_or("?"), url.path())
}

fn escape(part: &str, keep_slashes: bool) -> String {
    let mut escaped = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(byte.into()),
            b'/' if keep_slashes => escaped.push('/'),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_made_as_the_hub_expects_them() {
        let url = |endpoint: &str, revision: &str, name: &str| {
            resolve_url(&endpoint.parse().unwrap(), "org/name", revision, name).unwrap().to_string()
        };
        assert_eq!(url("https://h.co", "main", "a/b.json"), "https://h.co/org/name/resolve/main/a/b.json");
        assert_eq!(
            url("http://h:8/hub", "refs/pr/1", "a b?.json"),
            "http://h:8/hub/org/name/resolve/refs%2Fpr%2F1/a%20b%3F.json"
        );
    }

    #[test]
    fn locations_are_resolved_against_their_page() {
        let base: Uri = "https://h.co:8/a/b?x=1".parse().unwrap();
        for (location, expected) in [
            ("https://cdn.co/x?sig=1", "https://cdn.co/x?sig=1"),
            ("/api/x", "https://h.co:8/api/x"),
            ("//cdn.co/x", "https://cdn.co/x"),
            ("c", "https://h.co:8/a/c"),
        ] {
            assert_eq!(join(&base, location).unwrap().to_string(), expected);
        }
        assert!(join(&base, "https://").is_none());
    }

    #[test]
    fn encryption_is_not_given_up_on_the_way() {
        let answer = |location: &str| {
            let response = Response::builder().status(302).header(header::LOCATION, location);
            response.body(Body::builder().data("")).unwrap()
        };
        let secure: Uri = "https://h.co/a?token=1".parse().unwrap();
        let Err(Failure::Final(Error::ModelUnavailable(message))) = target(&answer("http://cdn.co/x?sig=1"), &secure)
        else {
            panic!("it is followed")
        };
        assert!(message.contains("https://h.co/a redirects to http://cdn.co/x,"), "{message}");
        for location in ["https://cdn.co/x", "//cdn.co/x", "/b", "c"] {
            assert!(target(&answer(location), &secure).unwrap().is_some(), "{location}");
        }
        let open: Uri = "http://localhost:1/a".parse().unwrap();
        assert!(target(&answer("http://localhost:2/b"), &open).unwrap().is_some());
        assert!(target(&answer("https://cdn.co/b"), &open).unwrap().is_some());
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a: &str, b: &str| same_origin(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(same("https://h.co/a", "https://H.co:443/b"));
        assert!(!same("https://h.co", "http://h.co"));
        assert!(!same("http://h.co:1", "http://h.co:2"));
        assert!(!same("https://h.co", "https://h.co.evil.com"));
    }

    #[test]
    fn secrets_of_a_url_are_not_printed() {
        assert_eq!(printable(&"https://me:pw@h.co:8/a?sig=1".parse().unwrap()), "https://h.co:8/a");
    }
}

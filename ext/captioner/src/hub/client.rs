//! Requests to the hub: where a file is, what it should be, and its bytes.
//!
//! Redirects are followed here and not by the HTTP library: the hub puts a file's hash on the redirect itself, and the
//! token must not follow to another host.

use std::time::Duration;

use ureq::http::{header, Method, Request, Response, StatusCode, Uri};
use ureq::{Agent, Body, Proxy};

use super::failure::{Attempt, Failure};
use super::headers::{number, text};
use super::layout::{is_commit, is_etag};
use super::url::{printable, resolve_url, same_origin, target};
use super::{proxy, Settings, Stop};
use crate::error::{Error, Result};

const MAX_REDIRECTS: usize = 10;
/// A server may ask for any pause; longer ones than this are cut.
const MAX_RETRY_AFTER: u64 = 300;

/// What the hub says about a file before it sends it.
#[derive(Debug, Clone)]
pub(super) struct Meta {
    pub commit: String,
    pub etag: String,
    pub size: Option<u64>,
}

pub(super) struct Client {
    agent: Agent,
    endpoint: Uri,
    token: Option<String>,
    stop: Stop,
}

impl Client {
    /// Fails with `InvalidArgument` when the endpoint is not a URL.
    pub fn new(settings: &Settings, stop: Stop) -> Result<Self> {
        let endpoint = settings.endpoint.trim_end_matches('/');
        let usable = endpoint.parse::<Uri>().ok().filter(|uri| {
            uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none()
        });
        let Some(endpoint) = usable else {
            let message = format!(
                "{endpoint:?} is not the URL of a hub: set HF_ENDPOINT to something like {}",
                super::DEFAULT_ENDPOINT
            );
            return Err(Error::InvalidArgument(message));
        };
        let tls = ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_per_read(Some(settings.read_timeout))
            .timeout_per_write(Some(settings.read_timeout))
            .tls_config(tls)
            // Each request is told its own.
            .proxy(None)
            .user_agent(concat!("meme_captioner/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Client { agent: config.new_agent(), endpoint, token: settings.token.clone(), stop })
    }

    /// Shutting this clone down ends the requests that are under way.
    pub fn agent(&self) -> Agent {
        self.agent.clone()
    }

    /// Asks for a file's commit, ETag and length.
    pub fn metadata(&self, repo_id: &str, revision: &str, name: &str) -> Attempt<Meta> {
        let mut url = resolve_url(&self.endpoint, repo_id, revision, name)?;
        let (mut commit, mut linked_size) = (None, None);
        for _ in 0..MAX_REDIRECTS {
            let response = self.send(Method::HEAD, &url, &[])?;
            commit = commit.or_else(|| text(&response, "x-repo-commit").filter(|commit| is_commit(commit)));
            linked_size = linked_size.or_else(|| number(&response, "x-linked-size"));
            let linked = text(&response, "x-linked-etag");
            let mut etag = linked.or_else(|| text(&response, "etag"));
            let mut size = linked_size;
            match target(&response, &url)? {
                // A mirror, a renamed repository, or the hub's own cache: the answer is further on. A redirect with
                // the hash on it is the answer.
                Some(next)
                    if commit.is_none() || etag.is_none() || (same_origin(&next, &url) && linked_size.is_none()) =>
                {
                    url = next;
                    continue;
                }
                Some(_) => {}
                None => {
                    self.check(&response, &url, name)?;
                    size = size.or_else(|| number(&response, "content-length"));
                }
            }
            etag = etag
                .map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned())
                .filter(|etag| is_etag(etag));
            return match (commit, etag) {
                (Some(commit), Some(etag)) => Ok(Meta { commit, etag, size }),
                // A captive portal, or a proxy that strips headers. It may be gone in an hour, not in a second.
                _ => Err(Failure::Final(Error::Download(format!(
                    "{} does not answer like a hub (no X-Repo-Commit or no ETag): check HF_ENDPOINT, the proxy and the network's log-in page",
                    printable(&url)
                )))),
            };
        }
        Err(too_many_redirects(&url))
    }

    /// Opens a file for reading from byte `from`. The status is 200, 206, or 416 when there is nothing after `from`.
    pub fn open(
        &self,
        repo_id: &str,
        commit: &str,
        name: &str,
        from: u64,
        etag: Option<&str>,
    ) -> Attempt<Response<Body>> {
        let mut url = resolve_url(&self.endpoint, repo_id, commit, name)?;
        let range = format!("bytes={from}-");
        let mut headers = Vec::new();
        if from > 0 {
            headers.push((header::RANGE, range.as_str()));
            headers.extend(etag.map(|etag| (header::IF_RANGE, etag)));
        }
        for _ in 0..MAX_REDIRECTS {
            let response = self.send(Method::GET, &url, &headers)?;
            match target(&response, &url)? {
                Some(next) => url = next,
                None if from > 0 && response.status() == StatusCode::RANGE_NOT_SATISFIABLE => return Ok(response),
                None => return self.check(&response, &url, name).map(|()| response),
            }
        }
        Err(too_many_redirects(&url))
    }

    /// Can requests get out in the way that the environment says?
    ///
    /// # Errors
    /// `ModelUnavailable` where it names a proxy that they cannot go through.
    pub fn way_out(&self) -> Result<()> {
        proxy_to(&self.endpoint).map(|_| ())
    }

    fn send(&self, method: Method, url: &Uri, headers: &[(header::HeaderName, &str)]) -> Attempt<Response<Body>> {
        self.stop.check()?;
        let proxy = proxy_to(url)?;
        // Any compression would change the length that is checked.
        let mut request = Request::builder().method(method).uri(url).header(header::ACCEPT_ENCODING, "identity");
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if let Some(token) = self.token.as_ref().filter(|_| same_origin(url, &self.endpoint)) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(()).map_err(|_| {
            // The URL was parsed before, so it is the token that cannot be a header.
            Error::InvalidArgument(
                "the hub token has characters that no token has: check HF_TOKEN or the token file".into(),
            )
        })?;
        let request = self.agent.configure_request(request).proxy(proxy).build();
        let response = self.agent.run(request);
        self.stop.check()?;
        response.map_err(|error| {
            let error = error.to_string();
            let hint = if error.contains("certificate") {
                "; check the clock, and that the CA certificates of this system or in SSL_CERT_FILE know the hub's"
            } else {
                ""
            };
            Failure::retry(format!("no answer from {}: {error}{hint}", printable(url)))
        })
    }

    /// Turns a status that brings no file into what the caller can do about it.
    fn check(&self, response: &Response<Body>, url: &Uri, name: &str) -> Attempt<()> {
        let status = response.status();
        if status == StatusCode::OK || status == StatusCode::PARTIAL_CONTENT {
            return Ok(());
        }
        let code = text(response, "x-error-code");
        let said = text(response, "x-error-message").map(|text| format!(" ({text})")).unwrap_or_default();
        let url_text = printable(url);
        let what = format!("{url_text} answered {status}{said}");
        let retryable = status.is_server_error()
            || matches!(status.as_u16(), 408 | 425 | 429)
            // Links to the storage behind the hub expire; the hub gives a new one. The storage has no hub's error codes.
            || (code.is_none() && !same_origin(url, &self.endpoint) && status.is_client_error());
        if retryable {
            let after =
                number(response, "retry-after").map(|seconds| Duration::from_secs(seconds.min(MAX_RETRY_AFTER)));
            return Err(Failure::Retry { why: what, after });
        }
        let hint = match status.as_u16() {
            401 | 403 if self.token.is_none() => {
                "the repository is private, gated or does not exist: set HF_TOKEN to a token that may read it"
            }
            401 | 403 => {
                "the token may not read this repository: check HF_TOKEN, and accept the model's conditions on its page if it has any"
            }
            404 if code.as_deref() == Some("RevisionNotFound") => "there is no such revision: check the commit, branch or tag",
            404 if code.as_deref() == Some("RepoNotFound") => "there is no such repository: check its name, and HF_TOKEN if it is private",
            404 => "there is no such file: check the repository, the revision and the file's name",
            _ => "check HF_ENDPOINT and that the proxy lets the hub through",
        };
        let error = Error::ModelUnavailable(format!("cannot get {name}: {what}; {hint}"));
        match code.as_deref() {
            Some("EntryNotFound") if status == StatusCode::NOT_FOUND => {
                let commit = text(response, "x-repo-commit").filter(|commit| is_commit(commit));
                Err(Failure::Absent { commit, error })
            }
            None if status == StatusCode::NOT_FOUND => Err(Failure::Absent { commit: None, error }),
            _ => Err(Failure::Final(error)),
        }
    }
}

/// The proxy for a request to `url`, as the environment says now.
fn proxy_to(url: &Uri) -> Result<Option<Proxy>> {
    proxy::choose(url, &|name| std::env::var(name).ok())
}

fn too_many_redirects(url: &Uri) -> Failure {
    Failure::Final(Error::Download(format!(
        "more than {MAX_REDIRECTS} redirects, the last to {}: check HF_ENDPOINT",
        printable(url)
    )))
}

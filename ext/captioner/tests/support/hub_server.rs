//! A hub on loopback: resolve routes on one port, the storage ("CDN") that large files are redirected to on another,
//! faults to order, and a log of every request.

// Each test binary uses a part of it.
#![allow(dead_code)]

#[path = "hub_reply.rs"]
mod hub_reply;

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use captioner::hub::{FileSpec, Settings, Source};
use hub_reply::Reply;
use sha1::Sha1;
use sha2::{Digest, Sha256};

pub const REPO: &str = "org/model";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What goes wrong with one response.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status and these headers, with a page that must never be saved.
    Status(u16, Vec<(String, String)>),
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// Nothing more comes after so many bytes of the body.
    Stall(usize),
    /// 200 and the whole file, whatever range was asked for.
    IgnoreRange,
    /// 206, but the range starts one byte late.
    WrongRange,
    /// One byte of the body is wrong.
    Corrupt,
    /// 200 and a page of the right look but another length.
    Page,
}

#[derive(Debug, Clone)]
pub struct Logged {
    /// "hub" or "cdn".
    pub server: &'static str,
    pub method: String,
    pub path: String,
    pub range: Option<String>,
    pub token: Option<String>,
}

#[derive(Default)]
pub struct State {
    files: Mutex<HashMap<String, (Vec<u8>, bool)>>,
    heads: Mutex<HashMap<String, VecDeque<Fault>>>,
    bodies: Mutex<HashMap<String, VecDeque<Fault>>>,
    log: Mutex<Vec<Logged>>,
    token: Mutex<Option<String>>,
    linked_size: Mutex<Option<u64>>,
    /// Bytes per 10 ms, for downloads that must take a while.
    trickle: Mutex<Option<usize>>,
    closing: AtomicBool,
}

pub struct HubServer {
    pub url: String,
    /// The other port, which sends whoever takes it for a hub to the hub.
    pub mirror: String,
    state: Arc<State>,
    ports: Vec<u16>,
}

impl HubServer {
    /// A hub with a small file, a large one (stored behind a redirect) and no optional one.
    pub fn start() -> Self {
        let state = Arc::new(State::default());
        let [hub, cdn] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports: Vec<u16> = [&hub, &cdn].map(|listener| listener.local_addr().unwrap().port()).into();
        for (server, listener) in [("hub", hub), ("cdn", cdn)] {
            let (state, ports) = (state.clone(), [ports[0], ports[1]]);
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if state.closing.load(Ordering::Relaxed) {
                        return;
                    }
                    let state = state.clone();
                    std::thread::spawn(move || stream.map(|stream| state.serve(server, ports, stream)));
                }
            });
        }
        let [url, mirror] = [ports[0], ports[1]].map(|port| format!("http://127.0.0.1:{port}"));
        let server = HubServer { url, mirror, state, ports };
        server.put("config.json", b"{\"model_type\": \"florence2\"}".to_vec(), false);
        server.put("model.safetensors", large(), true);
        server
    }

    pub fn put(&self, name: &str, body: Vec<u8>, large: bool) {
        self.state.files.lock().unwrap().insert(name.into(), (body, large));
    }

    /// Faults of the next requests for a file's metadata.
    pub fn break_heads(&self, name: &str, faults: &[Fault]) {
        self.state.heads.lock().unwrap().insert(name.into(), faults.iter().cloned().collect());
    }

    /// Faults of the next requests for a file's bytes.
    pub fn break_bodies(&self, name: &str, faults: &[Fault]) {
        self.state.bodies.lock().unwrap().insert(name.into(), faults.iter().cloned().collect());
    }

    pub fn require_token(&self, token: &str) {
        *self.state.token.lock().unwrap() = Some(token.into());
    }

    pub fn announce_size(&self, size: u64) {
        *self.state.linked_size.lock().unwrap() = Some(size);
    }

    pub fn trickle(&self, bytes_per_10_ms: usize) {
        *self.state.trickle.lock().unwrap() = Some(bytes_per_10_ms);
    }

    pub fn log(&self) -> Vec<Logged> {
        self.state.log.lock().unwrap().clone()
    }

    pub fn forget_log(&self) {
        self.state.log.lock().unwrap().clear();
    }

    /// How often the bytes of a large file were asked for.
    pub fn large_gets(&self) -> usize {
        self.log().iter().filter(|entry| entry.server == "cdn" && entry.method == "GET").count()
    }

    /// Waits until the log fulfils a condition; for things another thread or process does.
    pub fn wait_for(&self, condition: impl Fn(&[Logged]) -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !condition(&self.log()) {
            assert!(Instant::now() < end, "waited a minute for the server's log");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Settings for this hub: fast retries, patient reads.
    pub fn settings(&self, cache_dir: &Path) -> Settings {
        let mut settings = Settings::from_lookup(&|_| None);
        settings.endpoint = self.url.clone();
        settings.token = None;
        settings.cache_dir = cache_dir.to_path_buf();
        settings.retries = 3;
        settings.backoff = Duration::from_millis(5);
        settings.read_timeout = Duration::from_secs(30);
        settings
    }

    /// Nothing half-done anywhere in the cache, and whatever has its name is what the hub has.
    pub fn assert_whole(&self, cache_dir: &Path) {
        let files = self.state.files.lock().unwrap();
        for path in walk(cache_dir) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(!name.ends_with(".incomplete") && !name.ends_with(".tmp"), "left over: {}", path.display());
            if path.parent().unwrap().ends_with("blobs") {
                let body = std::fs::read(&path).unwrap();
                let known = files.values().any(|(expected, large)| *expected == body && etag(expected, *large) == name);
                assert!(known, "not what the hub has: {}", path.display());
            }
        }
    }
}

impl Drop for HubServer {
    fn drop(&mut self) {
        self.state.closing.store(true, Ordering::Relaxed);
        for port in &self.ports {
            let _ = TcpStream::connect(("127.0.0.1", *port));
        }
    }
}

impl State {
    fn serve(&self, server: &'static str, [hub_port, cdn_port]: [u16; 2], stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        let mut headers = HashMap::new();
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let mut words = request.split(' ').map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
        let token = headers.get("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
        let range = headers.get("range").cloned();
        let entry =
            Logged { server, method: method.clone(), path: path.clone(), range: range.clone(), token: token.clone() };
        self.log.lock().unwrap().push(entry);
        let mut reply = Reply { stream, head_only: method == "HEAD", state: self };
        if server == "cdn" && !path.starts_with("/store/") {
            // A mirror that only points elsewhere, with an ETag of its own.
            let location = format!("http://127.0.0.1:{hub_port}{path}");
            return reply.head(308, &[("Location".into(), location), ("ETag".into(), "\"mirror\"".into())], 0);
        }
        if server == "cdn" {
            let name = path.trim_start_matches("/store/").split('?').next().unwrap().to_owned();
            return reply.body(&name, range.as_deref(), &[("ETag".into(), format!("\"cdn-{name}\""))]);
        }
        let commit = ("X-Repo-Commit".to_owned(), COMMIT.to_owned());
        if self.token.lock().unwrap().as_ref().is_some_and(|wanted| token.as_ref() != Some(wanted)) {
            return reply.page(401, &[("X-Error-Code".into(), "GatedRepo".into())]);
        }
        let Some(rest) = path.strip_prefix(&format!("/{REPO}/resolve/")) else {
            // A renamed repository.
            if let Some(rest) = path.strip_prefix("/old/name/") {
                return reply.head(307, &[("Location".into(), format!("/{REPO}/{rest}"))], 0);
            }
            return reply.page(404, &[("X-Error-Code".into(), "RepoNotFound".into())]);
        };
        let (revision, name) = rest.split_once('/').unwrap();
        if revision != COMMIT && revision != "main" && revision != "refs%2Fpr%2F1" {
            return reply.page(404, &[("X-Error-Code".into(), "RevisionNotFound".into())]);
        }
        let fault = self.heads.lock().unwrap().get_mut(name).filter(|_| reply.head_only).and_then(VecDeque::pop_front);
        if let Some(Fault::Status(status, headers)) = fault {
            return reply.page(status, &headers);
        }
        let found = self.files.lock().unwrap().get(name).cloned();
        match found {
            None => reply.page(404, &[commit, ("X-Error-Code".into(), "EntryNotFound".into())]),
            Some((body, true)) => {
                let size = self.linked_size.lock().unwrap().unwrap_or(body.len() as u64);
                let location = format!("http://127.0.0.1:{cdn_port}/store/{name}?signature=secret");
                let linked = [
                    ("X-Linked-Etag".into(), format!("\"{}\"", etag(&body, true))),
                    ("X-Linked-Size".into(), size.to_string()),
                ];
                reply.head(302, &[&[commit, ("Location".into(), location)], &linked[..]].concat(), 0)
            }
            Some((body, false)) => {
                reply.body(name, range.as_deref(), &[commit, ("ETag".into(), format!("\"{}\"", etag(&body, false)))])
            }
        }
    }
}

/// Large enough for several reads, and no two parts alike.
pub fn large() -> Vec<u8> {
    (0..100_000u32).flat_map(|word| word.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect()
}

pub fn etag(body: &[u8], large: bool) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if large {
        hex(&Sha256::digest(body))
    } else {
        hex(&Sha1::new_with_prefix(format!("blob {}\0", body.len())).chain_update(body).finalize())
    }
}

pub fn source(revision: &str) -> Source {
    let files = vec![
        FileSpec::required("config.json"),
        FileSpec::required("model.safetensors"),
        FileSpec::optional("generation_config.json"),
    ];
    Source { repo_id: REPO.into(), revision: revision.into(), files }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() && !path.is_symlink() { walk(&path) } else { vec![path] }).collect()
}

/// A child inherits nothing that says where the hub is and how it is reached.
pub fn forget_settings(command: &mut std::process::Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("HF_") || text.starts_with("HUGGING") || text.to_lowercase().ends_with("_proxy") {
            command.env_remove(&name);
        }
    }
}

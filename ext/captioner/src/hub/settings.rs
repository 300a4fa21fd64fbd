//! Where the hub is, where its cache lies, and how patient a download is.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The public hub, used unless `HF_ENDPOINT` names another one.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// What a [`Hub`](super::Hub) needs to know. Take [`Settings::from_env`] and overwrite what the user set explicitly.
#[derive(Clone)]
pub struct Settings {
    /// Scheme and host of the hub, without a trailing slash.
    pub endpoint: String,
    /// Sent as a bearer token to the endpoint's own origin, and to nobody else.
    pub token: Option<String>,
    /// The hub cache: the folder that holds `models--organisation--name`.
    pub cache_dir: PathBuf,
    /// No requests at all; only what is in the cache.
    pub offline: bool,
    /// How many times in a row a request may fail before the download does.
    pub retries: u32,
    /// For one connection, TLS included.
    pub connect_timeout: Duration,
    /// A connection on which nothing arrives for this long is given up.
    pub read_timeout: Duration,
    /// The pause after a first failure; it doubles with each further one.
    pub backoff: Duration,
}

impl Settings {
    /// The settings that Python's huggingface_hub would take from the environment: `HF_ENDPOINT`, `HF_HUB_CACHE`,
    /// `HUGGINGFACE_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`, `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, `HF_TOKEN_PATH`,
    /// `HF_HUB_DISABLE_IMPLICIT_TOKEN`, `HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE` and `HF_HUB_DOWNLOAD_TIMEOUT`.
    ///
    /// Source: huggingface_hub 2.4, `constants.py` and `utils/_auth.py`.
    pub fn from_env() -> Self {
        Self::from_lookup(&|name| std::env::var_os(name))
    }

    /// As [`from_env`](Self::from_env), with the environment given as a function.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let home = home(set("HOME").map(PathBuf::from));
        let path = |name: &str| set(name).map(|value| expand(Path::new(&value), &home));

        let hf_home = path("HF_HOME")
            .unwrap_or_else(|| path("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache")).join("huggingface"));
        let token = if truthy(text("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
            None
        } else {
            text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN")).or_else(|| {
                let file = path("HF_TOKEN_PATH").unwrap_or_else(|| hf_home.join("token"));
                std::fs::read_to_string(file).ok()
            })
        };
        let seconds = text("HF_HUB_DOWNLOAD_TIMEOUT").and_then(|value| value.trim().parse().ok()).unwrap_or(10u64);
        Settings {
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.into()).trim_end_matches('/').into(),
            token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
            cache_dir: path("HF_HUB_CACHE")
                .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
                .unwrap_or_else(|| hf_home.join("hub")),
            offline: truthy(text("HF_HUB_OFFLINE").or_else(|| text("TRANSFORMERS_OFFLINE"))),
            retries: 5,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(seconds.max(1)),
            backoff: Duration::from_millis(500),
        }
    }
}

/// Everything but the token, which must not end up in a log.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "***"))
            .field("cache_dir", &self.cache_dir)
            .field("offline", &self.offline)
            .field("retries", &self.retries)
            .field("connect_timeout", &self.connect_timeout)
            .field("read_timeout", &self.read_timeout)
            .finish_non_exhaustive()
    }
}

fn truthy(value: Option<String>) -> bool {
    value.is_some_and(|value| matches!(value.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
}

fn expand(path: &Path, home: &Path) -> PathBuf {
    match path.strip_prefix("~") {
        Ok(rest) => home.join(rest),
        Err(_) => path.to_path_buf(),
    }
}

/// The user's folder: `HOME` where it is an absolute path, otherwise what the password database says; a user that has none
/// has the system's folder for temporary files.
fn home(variable: Option<PathBuf>) -> PathBuf {
    let absolute = |path: &PathBuf| path.is_absolute();
    let temporary = || Some(std::env::temp_dir()).filter(absolute).unwrap_or_else(|| PathBuf::from("/tmp"));
    variable.filter(absolute).or_else(|| home_dir().filter(absolute)).unwrap_or_else(temporary)
}

// Services often run without HOME; the standard library then asks the password database. It was deprecated up to
// Rust 1.86 for its behaviour on Windows alone.
#[allow(deprecated)]
fn home_dir() -> Option<PathBuf> {
    std::env::home_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Settings::from_lookup(&move |name| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_cache_follows_the_most_specific_variable() {
        let dir = |pairs: &[(&str, &str)]| settings(pairs).cache_dir;
        assert_eq!(dir(&[("HOME", "/h")]), Path::new("/h/.cache/huggingface/hub"));
        assert_eq!(dir(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), Path::new("/x/huggingface/hub"));
        assert_eq!(dir(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x"), ("HF_HOME", "~/hf")]), Path::new("/h/hf/hub"));
        assert_eq!(dir(&[("HF_HOME", "/hf"), ("HUGGINGFACE_HUB_CACHE", "/old")]), Path::new("/old"));
        assert_eq!(dir(&[("HF_HUB_CACHE", "/c"), ("HUGGINGFACE_HUB_CACHE", "/old")]), Path::new("/c"));
        assert_eq!(dir(&[("HF_HUB_CACHE", ""), ("HF_HOME", "/hf")]), Path::new("/hf/hub"));
        assert_eq!(dir(&[("HOME", "/h"), ("XDG_CACHE_HOME", "")]), Path::new("/h/.cache/huggingface/hub"));
        for nowhere in ["", "relative", "."] {
            assert!(dir(&[("HOME", nowhere)]).is_absolute(), "{nowhere:?}");
        }
    }

    #[test]
    fn switches_and_times_are_read_as_python_reads_them() {
        for (value, expected) in [("1", true), ("true", true), ("Yes", true), ("ON", true), ("0", false), ("", false)] {
            assert_eq!(settings(&[("HF_HUB_OFFLINE", value)]).offline, expected, "{value:?}");
        }
        assert_eq!(settings(&[("HF_HUB_DOWNLOAD_TIMEOUT", "42")]).read_timeout, Duration::from_secs(42));
        assert_eq!(settings(&[("HF_ENDPOINT", "http://hub.local/")]).endpoint, "http://hub.local");
        assert_eq!(settings(&[]).endpoint, DEFAULT_ENDPOINT);
    }

    #[test]
    fn the_token_comes_from_the_variable_then_the_file_and_is_never_printed() {
        let home = std::env::temp_dir().join(format!("hub-settings-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(home.join("token"), "hf_file\n").unwrap();
        std::fs::write(home.join("other"), "hf_other").unwrap();
        let hf_home = home.to_str().unwrap();
        let other = home.join("other");
        let token = |pairs: &[(&str, &str)]| settings(pairs).token;
        assert_eq!(token(&[("HF_HOME", hf_home), ("HF_TOKEN", " hf_env\n")]).as_deref(), Some("hf_env"));
        assert_eq!(token(&[("HF_HOME", hf_home)]).as_deref(), Some("hf_file"));
        let path = [("HF_HOME", hf_home), ("HF_TOKEN_PATH", other.to_str().unwrap())];
        assert_eq!(token(&path).as_deref(), Some("hf_other"));
        assert_eq!(token(&[("HF_HOME", hf_home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
        assert!(!format!("{:?}", settings(&[("HF_TOKEN", "hf_secret")])).contains("hf_secret"));
        std::fs::remove_dir_all(&home).unwrap();
    }
}

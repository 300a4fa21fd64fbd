//! Downloads where the environment names proxies. The environment is a process's own, so each is one.

#[path = "support/hub_server.rs"]
mod hub_server;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use captioner::hub::{Hub, Settings};
use hub_server::{forget_settings, source, HubServer, COMMIT};

/// What the processes started below do; alone it does nothing.
#[test]
fn fetch_as_a_child() {
    let Ok(revision) = std::env::var("HUB_TEST_REVISION") else { return };
    match Hub::new(Settings::from_env()).fetch(&source(&revision), &mut |_| {}, &|| false) {
        Ok(folder) => println!("folder={}", folder.display()),
        Err(error) => println!("error={error:?}"),
    }
}

/// A process that fetches `revision` from `endpoint` with these proxies and no others.
fn child(endpoint: &str, cache: &Path, revision: &str, proxies: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["fetch_as_a_child", "--exact", "--nocapture"]);
    forget_settings(&mut command);
    command.env("HUB_TEST_REVISION", revision).env("HF_ENDPOINT", endpoint).env("HF_HUB_CACHE", cache);
    command.envs(proxies.iter().copied());
    command
}

fn said(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_cached_of_a_branch_is_used_behind_a_proxy_that_is_not() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let folder = Hub::new(server.settings(cache.path())).fetch(&source("main"), &mut |_| {}, &|| false).unwrap();
    let socks = [("ALL_PROXY", "socks5://127.0.0.1:1")];
    for revision in ["main", COMMIT] {
        let said = said(child("https://hub.invalid", cache.path(), revision, &socks));
        assert!(said.contains(&format!("folder={}", folder.display())), "{revision}: {said}");
    }
    let said = said(child("https://hub.invalid", cache.path(), "other", &socks));
    assert!(said.contains("error=ModelUnavailable") && said.contains("ALL_PROXY names a SOCKS proxy"), "{said}");
}

#[test]
fn a_request_goes_through_the_proxy_of_its_scheme() {
    for (endpoint, variable) in [("https://hub.invalid", "https_proxy"), ("http://hub.invalid:443", "http_proxy")] {
        let cache = tempfile::tempdir().unwrap();
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", proxy.local_addr().unwrap());
        let proxies = [("ALL_PROXY", "socks5://127.0.0.1:1"), (variable, address.as_str())];
        let mut fetching = child(endpoint, cache.path(), "main", &proxies).stdout(Stdio::piped()).spawn().unwrap();
        let watched = proxy.try_clone().unwrap();
        let asked = std::thread::spawn(move || {
            let mut line = String::new();
            BufReader::new(watched.accept().unwrap().0).read_line(&mut line).unwrap();
            line
        });
        let line = wait(asked, &mut fetching);
        assert!(line.starts_with("CONNECT hub.invalid:443 "), "{line}");
    }
}

/// What the proxy was asked; the process is ended then, as it would try again. Fails where it ends without having asked.
fn wait(asked: std::thread::JoinHandle<String>, fetching: &mut std::process::Child) -> String {
    while !asked.is_finished() {
        assert!(fetching.try_wait().unwrap().is_none(), "it ended without a word to the proxy");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    fetching.kill().unwrap();
    fetching.wait().unwrap();
    asked.join().unwrap()
}

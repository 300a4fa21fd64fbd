//! Downloads and the processes around them: two at once, one that is stopped, one that is killed.

#[path = "support/hub_server.rs"]
mod hub_server;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use captioner::error::Error;
use captioner::hub::{Hub, Phase, Settings};
use hub_server::{forget_settings, large, source, Fault, HubServer, COMMIT};

const WEIGHTS: &str = "model.safetensors";

/// What the processes started below do; alone it does nothing.
#[test]
fn fetch_as_a_child() {
    if std::env::var_os("HUB_TEST_CHILD").is_none() {
        return;
    }
    let mut phases = Vec::new();
    let hub = Hub::new(Settings::from_env());
    let folder = hub.fetch(&source(COMMIT), &mut |progress| phases.push(progress.phase), &|| false).unwrap();
    println!("folder={}", folder.display());
    println!("waited={}", phases.contains(&Phase::Waiting));
}

/// A process of its own that fetches with nothing but the environment to tell it from where and to where.
fn child(server: &HubServer, variable: &str, value: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["fetch_as_a_child", "--exact", "--nocapture"]);
    forget_settings(&mut command);
    command.env("HUB_TEST_CHILD", "1").env("HF_ENDPOINT", &server.url).env(variable, value);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn output(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn two_processes_at_once_fetch_each_file_once() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    // About a second: time enough for the second process to find the first at work.
    server.trickle(large().len() / 100);
    let children = [(); 2].map(|()| child(&server, "HF_HUB_CACHE", cache.path()));
    let outputs = children.map(output);
    assert_eq!(server.large_gets(), 1, "{:#?}", server.log());
    let small =
        server.log().iter().filter(|entry| entry.method == "GET" && entry.path.ends_with("config.json")).count();
    assert_eq!(small, 1);
    assert!(outputs.iter().all(|output| output.contains(&format!("snapshots/{COMMIT}"))));
    server.assert_whole(cache.path());
}

#[test]
fn a_process_that_waits_says_so_and_then_uses_what_the_other_fetched() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.trickle(large().len() / 50);
    let first = child(&server, "HF_HUB_CACHE", cache.path());
    server.wait_for(|log| log.iter().any(|entry| entry.server == "cdn"));
    let waited = output(child(&server, "HF_HUB_CACHE", cache.path()));
    output(first);
    assert!(waited.contains("waited=true"), "{waited}");
    assert_eq!(server.large_gets(), 1);
}

#[test]
fn hf_home_names_the_cache() {
    let (server, home) = (HubServer::start(), tempfile::tempdir().unwrap());
    let output = output(child(&server, "HF_HOME", home.path()));
    let folder = home.path().join("hub/models--org--model/snapshots").join(COMMIT);
    assert!(output.contains(&format!("folder={}", folder.display())), "{output}");
    server.assert_whole(home.path());
}

#[test]
fn a_killed_process_leaves_nothing_that_a_later_one_trips_over() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.break_bodies(WEIGHTS, &[Fault::Stall(200_000)]);
    let mut victim = child(&server, "HF_HUB_CACHE", cache.path());
    let blobs = cache.path().join("models--org--model/blobs");
    let partial = || {
        let entries = std::fs::read_dir(&blobs).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "incomplete")).count()
    };
    let end = Instant::now() + Duration::from_secs(60);
    while partial() == 0 || server.large_gets() == 0 {
        assert!(Instant::now() < end, "the download did not start within a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!(partial(), 1, "killed in the middle");
    let hub = Hub::new(server.settings(cache.path()));
    assert_eq!(hub.cached(&source(COMMIT)), None);
    let folder = hub.fetch(&source(COMMIT), &mut |_| {}, &|| false).unwrap();
    assert_eq!(std::fs::read(folder.join(WEIGHTS)).unwrap(), large());
    server.assert_whole(cache.path());
}

/// Stops a fetch once the server is in the state that `when` describes; returns how long the stop took.
fn stop_when(server: &HubServer, settings: Settings, when: impl Fn(&HubServer) -> bool) -> Duration {
    let stop = AtomicBool::new(false);
    let hub = Hub::new(settings);
    std::thread::scope(|scope| {
        let fetch = scope.spawn(|| hub.fetch(&source(COMMIT), &mut |_| {}, &|| stop.load(Ordering::Relaxed)));
        let end = Instant::now() + Duration::from_secs(60);
        while !when(server) {
            assert!(Instant::now() < end && !fetch.is_finished());
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(100));
        let asked = Instant::now();
        stop.store(true, Ordering::Relaxed);
        let result = fetch.join().unwrap();
        assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
        asked.elapsed()
    })
}

#[test]
fn a_stop_is_heard_while_the_server_stalls() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.break_bodies(WEIGHTS, &[Fault::Stall(150_000)]);
    let took = stop_when(&server, server.settings(cache.path()), |server| server.large_gets() > 0);
    // The connection itself would have waited for 30 seconds.
    assert!(took < Duration::from_secs(10), "{took:?}");
    server.assert_whole(cache.path());
    Hub::new(server.settings(cache.path())).fetch(&source(COMMIT), &mut |_| {}, &|| false).unwrap();
}

#[test]
fn a_stop_is_heard_during_a_pause() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.break_heads("config.json", &[Fault::Status(429, vec![("Retry-After".into(), "60".into())])]);
    let took = stop_when(&server, server.settings(cache.path()), |server| !server.log().is_empty());
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_stop_is_heard_while_another_process_has_the_lock() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.break_bodies(WEIGHTS, &[Fault::Stall(150_000)]);
    let mut holder = child(&server, "HF_HUB_CACHE", cache.path());
    server.wait_for(|log| log.iter().any(|entry| entry.server == "cdn"));
    let before = server.log().len();
    let took = stop_when(&server, server.settings(cache.path()), |server| {
        server.log().iter().skip(before).any(|entry| entry.path.ends_with("generation_config.json"))
            || server.log().len() > before
    });
    assert!(took < Duration::from_secs(10), "{took:?}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    // The lock went with its holder.
    Hub::new(server.settings(cache.path())).fetch(&source(COMMIT), &mut |_| {}, &|| false).unwrap();
    server.assert_whole(cache.path());
}

#[test]
fn a_caller_that_panics_takes_the_download_with_it() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.break_bodies(WEIGHTS, &[Fault::Stall(150_000)]);
    let hub = Hub::new(server.settings(cache.path()));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut panic_in_the_middle = |progress: &captioner::hub::Progress| assert!(progress.file != WEIGHTS);
        hub.fetch(&source(COMMIT), &mut panic_in_the_middle, &|| false)
    }));
    assert!(result.is_err());
    server.assert_whole(cache.path());
    hub.fetch(&source(COMMIT), &mut |_| {}, &|| false).unwrap();
}

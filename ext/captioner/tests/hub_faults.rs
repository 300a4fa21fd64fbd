//! Downloads with faults. After each one: no partial file under its final name, no temporary left.

#[path = "support/hub_server.rs"]
mod hub_server;

use std::time::{Duration, Instant};

use captioner::error::Error;
use captioner::hub::{Hub, Settings};
use hub_server::{large, source, Fault, HubServer, COMMIT};
use Fault::{Corrupt, Cut, IgnoreRange, Page, Stall, Status, WrongRange};

const WEIGHTS: &str = "model.safetensors";

fn fetch(settings: &Settings) -> Result<std::path::PathBuf, Error> {
    Hub::new(settings.clone()).fetch(&source(COMMIT), &mut |_| {}, &|| false)
}

/// Fetches with faults in the weights' bodies that the retries get over; returns the ranges that were asked for.
fn recovers(faults: &[Fault]) -> Vec<Option<String>> {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.break_bodies(WEIGHTS, faults);
    let folder = fetch(&server.settings(cache.path())).unwrap();
    assert_eq!(std::fs::read(folder.join(WEIGHTS)).unwrap(), large(), "{faults:?}");
    server.assert_whole(cache.path());
    server.log().into_iter().filter(|entry| entry.server == "cdn").map(|entry| entry.range).collect()
}

/// Fetches with faults that outlast the retries; returns the message. The next fetch, without them, succeeds.
fn gives_up(name: &str, fault: Fault) -> String {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let settings = server.settings(cache.path());
    server.break_bodies(name, &vec![fault.clone(); 1 + settings.retries as usize]);
    let result = fetch(&settings);
    let Err(Error::Download(message)) = result else { panic!("{fault:?}: {result:?}") };
    assert!(message.contains(name), "{message}");
    assert_eq!(Hub::new(settings.clone()).cached(&source(COMMIT)), None);
    server.assert_whole(cache.path());
    fetch(&settings).unwrap();
    server.assert_whole(cache.path());
    message
}

fn range(from: usize) -> Option<String> {
    Some(format!("bytes={from}-"))
}

#[test]
fn a_connection_cut_twice_is_resumed_where_it_broke() {
    assert_eq!(recovers(&[Cut(150_000), Cut(100_000)]), [None, range(150_000), range(250_000)]);
}

#[test]
fn a_server_that_ignores_the_range_starts_the_file_again() {
    assert_eq!(recovers(&[Cut(150_000), IgnoreRange]), [None, range(150_000)]);
}

#[test]
fn a_wrong_range_is_not_appended() {
    assert_eq!(recovers(&[Cut(150_000), WrongRange]), [None, range(150_000), None]);
    assert_eq!(recovers(&[Cut(150_000), Status(416, vec![])]), [None, range(150_000), None]);
}

#[test]
fn a_wrong_byte_makes_the_file_start_again() {
    assert_eq!(recovers(&[Corrupt]), [None, None]);
    // Also when the wrong part is the one that was resumed.
    assert_eq!(recovers(&[Cut(150_000), Corrupt]), [None, range(150_000), None]);
}

#[test]
fn server_errors_are_retried() {
    assert_eq!(recovers(&[Status(500, vec![]), Status(503, vec![])]).len(), 3);
    // The storage's links expire; the hub is asked for a new one.
    assert_eq!(recovers(&[Status(403, vec![])]).len(), 2);

    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.break_heads("config.json", &[Status(500, vec![]), Status(502, vec![])]);
    fetch(&server.settings(cache.path())).unwrap();
}

#[test]
fn a_busy_hub_is_given_the_time_it_asks_for() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.break_heads("config.json", &[Status(429, vec![("Retry-After".into(), "1".into())])]);
    let start = Instant::now();
    fetch(&server.settings(cache.path())).unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "came back after {:?}", start.elapsed());
}

#[test]
fn what_stays_wrong_is_an_error_and_no_file() {
    let message = gives_up(WEIGHTS, Cut(10_000));
    assert!(message.contains("connection"), "{message}");
    let message = gives_up(WEIGHTS, Corrupt);
    assert!(message.contains("sha256"), "{message}");
    let message = gives_up("config.json", Corrupt);
    assert!(message.contains("git hash"), "{message}");
    for name in ["config.json", WEIGHTS] {
        let message = gives_up(name, Page);
        assert!(message.contains("instead of"), "{message}");
        let message = gives_up(name, Status(500, vec![]));
        assert!(message.contains("500"), "{message}");
    }
}

#[test]
fn links_to_the_storage_are_not_printed() {
    assert!(!gives_up(WEIGHTS, Status(500, vec![])).contains("signature"));
}

#[test]
fn a_stalled_connection_times_out_and_is_resumed() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let mut settings = server.settings(cache.path());
    settings.read_timeout = Duration::from_millis(700);
    server.break_bodies(WEIGHTS, &[Stall(150_000)]);
    fetch(&settings).unwrap();
    let ranges: Vec<_> =
        server.log().into_iter().filter(|entry| entry.server == "cdn").map(|entry| entry.range).collect();
    assert_eq!(ranges[..2], [None, range(150_000)]);
    server.assert_whole(cache.path());
}

#[test]
fn a_hub_that_contradicts_the_pins_is_not_downloaded_from() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let hub = Hub::new(server.settings(cache.path()));
    let mut by_hash = source(COMMIT);
    by_hash.files[1].sha256 = Some("0".repeat(64));
    let mut by_size = source(COMMIT);
    by_size.files[1].size = Some(1);
    for source in [by_hash, by_size] {
        let result = hub.fetch(&source, &mut |_| {}, &|| false);
        let Err(Error::CorruptModel(message)) = result else { panic!("{result:?}") };
        assert!(message.contains(WEIGHTS) && message.contains("instead of"), "{message}");
    }
    assert_eq!(server.large_gets(), 0);
    server.assert_whole(cache.path());
}

#[test]
fn nobody_at_the_other_end() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let mut settings = server.settings(cache.path());
    settings.endpoint = "http://127.0.0.1:1".into();
    let Err(Error::Download(message)) = fetch(&settings) else { panic!("nobody is there") };
    assert!(message.contains("http://127.0.0.1:1/org/model/resolve/") && message.contains("4 times"), "{message}");
    settings.endpoint = "not a url".into();
    assert!(matches!(fetch(&settings), Err(Error::InvalidArgument(_))));
    settings.endpoint = server.url.clone();
    settings.token = Some("two\nlines".into());
    assert!(matches!(fetch(&settings), Err(Error::InvalidArgument(_))));
}

#[test]
fn a_file_larger_than_the_disk_is_refused_before_it_is_fetched() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.announce_size(1 << 60);
    // A size that is not pinned would not be believed.
    let mut source = source(COMMIT);
    source.files[1].size = Some(1 << 60);
    let result = Hub::new(server.settings(cache.path())).fetch(&source, &mut |_| {}, &|| false);
    let Err(Error::ModelUnavailable(message)) = result else { panic!("{result:?}") };
    for said in ["needs 1152921504606846976 bytes", "HF_HUB_CACHE", "MEME_CAPTIONER_CACHE_DIR", "are free"] {
        assert!(message.contains(said), "{message}");
    }
    assert_eq!(server.large_gets(), 0);
    server.assert_whole(cache.path());
}

#[test]
fn a_cache_that_cannot_be_written() {
    let (server, folder) = (HubServer::start(), tempfile::tempdir().unwrap());
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let result = fetch(&server.settings(&file.join("cache")));
    let Err(Error::ModelUnavailable(message)) = result else { panic!("{result:?}") };
    assert!(message.contains("HF_HUB_CACHE") && message.contains("file/cache"), "{message}");
}

#[test]
fn a_read_only_cache_serves_what_it_has() {
    use std::os::unix::fs::PermissionsExt;
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let settings = server.settings(cache.path());
    fetch(&settings).unwrap();
    let repo = cache.path().join("models--org--model");
    let set_mode = |mode: u32| {
        for folder in [cache.path(), &repo, &repo.join("blobs"), &repo.join("snapshots")] {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    let newest = || std::fs::metadata(repo.join("blobs")).unwrap().modified().unwrap();
    let before = newest();
    set_mode(0o555);
    let cached = fetch(&settings);
    // Whoever may write everywhere is not stopped by modes; nothing may have been written all the same.
    let unwritable = std::fs::write(repo.join("probe"), "").is_err();
    let other = unwritable.then(|| {
        let mut other = source(COMMIT);
        other.repo_id = "old/name".into();
        Hub::new(settings.clone()).fetch(&other, &mut |_| {}, &|| false)
    });
    set_mode(0o755);
    assert!(cached.is_ok());
    assert_eq!(newest(), before);
    if let Some(result) = other {
        assert!(matches!(result, Err(Error::ModelUnavailable(_))), "{result:?}");
    }
}

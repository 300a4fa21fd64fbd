//! Downloads that go as they should: fresh, cached, branches, tokens, offline, and what the cache looks like after.

#[path = "support/hub_server.rs"]
mod hub_server;

use std::path::Path;

use captioner::error::Error;
use captioner::hub::{Hub, Phase, Progress, Settings};
use hub_server::{etag, large, source, Fault, HubServer, COMMIT};

fn fetch(settings: &Settings, revision: &str) -> Result<std::path::PathBuf, Error> {
    Hub::new(settings.clone()).fetch(&source(revision), &mut |_| {}, &|| false)
}

#[test]
fn fresh_then_cached() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let hub = Hub::new(server.settings(cache.path()));
    assert_eq!(hub.cached(&source(COMMIT)), None);

    let mut seen: Vec<Progress> = Vec::new();
    let folder = hub.fetch(&source(COMMIT), &mut |progress| seen.push(progress.clone()), &|| false).unwrap();

    let repo = cache.path().join("models--org--model");
    assert_eq!(folder, repo.join("snapshots").join(COMMIT));
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), large());
    let target = std::fs::read_link(folder.join("model.safetensors")).unwrap();
    assert_eq!(target, Path::new("../../blobs").join(etag(&large(), true)));
    assert!(repo.join(".no_exist").join(COMMIT).join("generation_config.json").is_file());
    assert!(!repo.join("refs").exists(), "a commit needs no reference");
    server.assert_whole(cache.path());

    let last = seen.last().unwrap();
    assert_eq!((last.phase, last.file.as_str()), (Phase::Done, "model.safetensors"));
    assert_eq!(last.downloaded, large().len() as u64);
    assert_eq!(Some(last.overall_downloaded), last.overall_total);
    for phase in [Phase::Downloading, Phase::Verifying, Phase::Done] {
        assert!(seen.iter().any(|progress| progress.phase == phase), "{phase:?}");
    }

    server.forget_log();
    assert_eq!(hub.cached(&source(COMMIT)).as_ref(), Some(&folder));
    assert_eq!(hub.fetch(&source(COMMIT), &mut |_| panic!("nothing to do"), &|| false).unwrap(), folder);
    assert!(server.log().is_empty(), "a cached commit asks nobody: {:?}", server.log());
}

#[test]
fn a_branch_is_resolved_and_remembered() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let mut settings = server.settings(cache.path());
    for revision in ["main", "refs/pr/1"] {
        let folder = fetch(&settings, revision).unwrap();
        assert!(folder.ends_with(COMMIT));
        let reference = cache.path().join("models--org--model/refs").join(revision);
        assert_eq!(std::fs::read_to_string(reference).unwrap(), COMMIT);
    }
    assert_eq!(server.large_gets(), 1, "both stand for one commit");
    server.assert_whole(cache.path());

    // The hub is asked once what the branch stands for now; when it is down, the last answer holds.
    server.forget_log();
    server.break_heads("config.json", &[Fault::Status(503, vec![])]);
    assert!(fetch(&settings, "main").is_ok());
    assert_eq!(server.log().len(), 1);
    settings.endpoint = "http://127.0.0.1:1".into();
    assert!(fetch(&settings, "main").is_ok());
    settings.offline = true;
    assert!(fetch(&settings, "main").is_ok());
}

#[test]
fn a_renamed_repository_is_followed() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let mut renamed = source(COMMIT);
    renamed.repo_id = "old/name".into();
    let folder = Hub::new(server.settings(cache.path())).fetch(&renamed, &mut |_| {}, &|| false).unwrap();
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), large());
    assert!(folder.starts_with(cache.path().join("models--old--name")));
}

#[test]
fn a_mirror_is_followed_without_the_token() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let mut settings = server.settings(cache.path());
    settings.endpoint = server.mirror.clone();
    settings.token = Some("hf_secret".into());
    fetch(&settings, COMMIT).unwrap();
    assert!(server.log().iter().all(|entry| entry.server == "cdn" || entry.token.is_none()));
    server.assert_whole(cache.path());
}

#[test]
fn an_optional_file_that_exists_is_taken() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.put("generation_config.json", b"{}".to_vec(), false);
    let folder = fetch(&server.settings(cache.path()), COMMIT).unwrap();
    assert_eq!(std::fs::read(folder.join("generation_config.json")).unwrap(), b"{}");
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.require_token("hf_secret");
    let mut settings = server.settings(cache.path());

    let Err(Error::ModelUnavailable(message)) = fetch(&settings, COMMIT) else { panic!("401 without a token") };
    assert!(message.contains("401") && message.contains("HF_TOKEN") && message.contains(&server.url), "{message}");
    settings.token = Some("hf_wrong".into());
    let Err(Error::ModelUnavailable(message)) = fetch(&settings, COMMIT) else { panic!("401 with a wrong token") };
    assert!(message.contains("may not read") && !message.contains("hf_wrong"), "{message}");
    server.assert_whole(cache.path());

    settings.token = Some("hf_secret".into());
    fetch(&settings, COMMIT).unwrap();
    let log = server.log();
    assert!(log.iter().any(|entry| entry.server == "hub" && entry.token.as_deref() == Some("hf_secret")));
    assert!(log.iter().any(|entry| entry.server == "cdn"));
    assert!(log.iter().all(|entry| entry.server == "hub" || entry.token.is_none()), "leaked: {log:?}");
}

#[test]
fn names_that_the_hub_does_not_have() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let settings = server.settings(cache.path());
    let mut missing_file = source(COMMIT);
    missing_file.files[0].name = "tokenizer.json".into();
    let mut missing_repo = source(COMMIT);
    missing_repo.repo_id = "org/nothing".into();
    for (source, word) in [
        (source("feedfeedfeedfeedfeedfeedfeedfeedfeedfeed"), "no such revision"),
        (source("v9"), "no such revision"),
        (missing_file, "no such file"),
        (missing_repo, "no such repository"),
    ] {
        let result = Hub::new(settings.clone()).fetch(&source, &mut |_| {}, &|| false);
        let Err(Error::ModelUnavailable(message)) = result else { panic!("{word}: {result:?}") };
        assert!(message.contains(word) && message.contains("404") && message.contains(&server.url), "{message}");
    }
    server.assert_whole(cache.path());
}

#[test]
fn offline_with_and_without_a_cache() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let mut settings = server.settings(cache.path());
    settings.offline = true;
    for revision in [COMMIT, "main"] {
        let Err(Error::ModelUnavailable(message)) = fetch(&settings, revision) else { panic!("nothing is there") };
        assert!(message.contains("HF_HUB_OFFLINE") && message.contains("org/model"), "{message}");
    }
    settings.offline = false;
    let folder = fetch(&settings, COMMIT).unwrap();
    server.forget_log();
    settings.offline = true;
    assert_eq!(fetch(&settings, COMMIT).unwrap(), folder);
    std::fs::remove_file(folder.join("config.json")).unwrap();
    let Err(Error::ModelUnavailable(message)) = fetch(&settings, COMMIT) else { panic!("a file is missing") };
    assert!(message.contains("config.json"), "{message}");
    assert!(server.log().is_empty());
}

#[test]
fn a_damaged_file_is_fetched_again() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    let hub = Hub::new(server.settings(cache.path()));
    let mut pinned = source(COMMIT);
    pinned.files[1].size = Some(large().len() as u64);
    pinned.files[1].sha256 = Some(etag(&large(), true));
    let folder = hub.fetch(&pinned, &mut |_| {}, &|| false).unwrap();
    let weights = folder.join("model.safetensors");
    std::fs::write(&weights, "damaged").unwrap();
    assert_eq!(hub.cached(&pinned), None);
    hub.fetch(&pinned, &mut |_| {}, &|| false).unwrap();
    assert_eq!(std::fs::read(&weights).unwrap(), large());
    assert_eq!(server.large_gets(), 2);
    server.assert_whole(cache.path());

    // A blob of the right length with wrong bytes is not linked either.
    let mut bytes = large();
    bytes[7] ^= 1;
    std::fs::write(&weights, &bytes).unwrap();
    std::fs::remove_file(&weights).unwrap();
    hub.fetch(&pinned, &mut |_| {}, &|| false).unwrap();
    assert_eq!(std::fs::read(&weights).unwrap(), large());
    // And a good one is not fetched again.
    std::fs::remove_file(&weights).unwrap();
    hub.fetch(&pinned, &mut |_| {}, &|| false).unwrap();
    assert_eq!(server.large_gets(), 3);
}

//! Files that stand in each other's place, and lengths that no file has.

#[path = "support/hub_server.rs"]
mod hub_server;

use captioner::error::Error;
use captioner::hub::{FileSpec, Hub, Source};
use hub_server::{HubServer, COMMIT, REPO};

const INDEX: &str = "model.safetensors.index.json";

/// A repository with `config.json` and weights in one file or several.
fn wanted(weights: &str) -> Source {
    let weights = FileSpec::required(weights).or(&["other.safetensors.index.json", INDEX]);
    let files = vec![FileSpec::required("config.json"), weights, FileSpec::optional("later.json")];
    Source { repo_id: REPO.into(), revision: COMMIT.into(), files }
}

fn sharded() -> HubServer {
    let server = HubServer::start();
    let index = br#"{"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors", "c": "part-1.safetensors"}}"#;
    server.put(INDEX, index.to_vec(), false);
    server.put("part-1.safetensors", vec![1; 5000], true);
    server.put("part-2.safetensors", vec![2; 5000], true);
    server
}

#[test]
fn an_index_brings_what_it_lists() {
    let (server, cache) = (sharded(), tempfile::tempdir().unwrap());
    let (hub, source) = (Hub::new(server.settings(cache.path())), wanted("weights.safetensors"));
    let folder = hub.fetch(&source, &mut |_| {}, &|| false).unwrap();
    assert_eq!(std::fs::read(folder.join("part-1.safetensors")).unwrap(), vec![1; 5000]);
    assert_eq!(std::fs::read(folder.join("part-2.safetensors")).unwrap(), vec![2; 5000]);
    server.assert_whole(cache.path());

    // All that there can be is there: nobody is asked.
    server.forget_log();
    assert_eq!(hub.fetch(&source, &mut |_| {}, &|| false).unwrap(), folder);
    assert!(server.log().is_empty(), "{:?}", server.log());
    // Without one of the files it is not whole, and only that one is fetched.
    std::fs::remove_file(folder.join("part-2.safetensors")).unwrap();
    assert_eq!(hub.cached(&source), None);
    hub.fetch(&source, &mut |_| {}, &|| false).unwrap();
    assert!(hub.cached(&source).is_some());
    assert!(server.log().iter().all(|entry| !entry.path.contains("part-1")), "{:?}", server.log());
}

#[test]
fn the_file_itself_comes_first() {
    let (server, cache) = (sharded(), tempfile::tempdir().unwrap());
    let hub = Hub::new(server.settings(cache.path()));
    let folder = hub.fetch(&wanted("model.safetensors"), &mut |_| {}, &|| false).unwrap();
    assert!(folder.join("model.safetensors").exists() && !folder.join(INDEX).exists());
}

#[test]
fn an_index_that_lists_what_is_not_there_is_no_model() {
    let cache = tempfile::tempdir().unwrap();
    for (index, expected) in [
        (&br#"{"weight_map": {"a": "part-3.safetensors"}}"#[..], "part-3.safetensors"),
        (br#"{"weight_map": {"a": "../../part-1.safetensors"}}"#, "no file of weights in its folder"),
        (b"{}", "has no weight_map"),
    ] {
        let server = sharded();
        server.put(INDEX, index.to_vec(), false);
        let result =
            Hub::new(server.settings(cache.path())).fetch(&wanted("weights.safetensors"), &mut |_| {}, &|| false);
        let Err(Error::ModelUnavailable(message) | Error::CorruptModel(message)) = result else { panic!("{result:?}") };
        assert!(message.contains(expected), "{message}");
        std::fs::remove_dir_all(cache.path().join("models--org--model")).unwrap();
    }
}

#[test]
fn a_repository_in_another_form_is_called_by_its_name() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.put("vocab.json", b"{}".to_vec(), false);
    let mut source = wanted("model.safetensors");
    source.files.push(FileSpec::required("tokenizer.json"));
    let result = Hub::new(server.settings(cache.path())).fetch(&source, &mut |_| {}, &|| false);
    let Err(Error::UnsupportedModel(message)) = result else { panic!("{result:?}") };
    assert!(message.contains("AutoTokenizer") && message.contains(REPO) && message.contains(COMMIT), "{message}");
    assert_eq!(server.large_gets(), 0);
}

#[test]
fn lengths_that_no_file_has_are_refused_before_a_byte_comes() {
    let (server, cache) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.announce_size(1 << 40);
    let source = wanted("model.safetensors");
    let result = Hub::new(server.settings(cache.path())).fetch(&source, &mut |_| {}, &|| false);
    let Err(Error::ModelUnavailable(message)) = result else { panic!("{result:?}") };
    assert!(message.contains("model.safetensors has 1099511627776 bytes"), "{message}");
    assert_eq!(server.large_gets(), 0);
    server.assert_whole(cache.path());
}

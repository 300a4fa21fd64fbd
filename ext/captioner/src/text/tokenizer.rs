//! `tokenizer.json`, read so that every token has the id that the file gives it.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::{DecoderWrapper, Tokenizer};

use crate::{foreign, Error, Result};

/// What is looked at here; `tokenizers` reads the rest.
#[derive(Deserialize)]
struct Outline {
    #[serde(default)]
    added_tokens: Vec<Added>,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
}

/// Reads a `tokenizer.json`.
///
/// # Errors
/// `CorruptModel` for a tokenizer that is damaged, `UnsupportedModel` for one that is not of the byte-level kind or in another
/// form, and those of reading.
pub fn open_tokenizer(path: &Path) -> Result<Tokenizer> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let bytes = std::fs::read(path).map_err(|error| match foreign::in_folder(folder, "tokenizer.json") {
        Some(advice) if error.kind() == ErrorKind::NotFound => Error::UnsupportedModel(advice),
        _ => Error::reading(path, &error),
    })?;
    let tokenizer = parse(&bytes).map_err(|error| {
        Error::CorruptModel(match foreign::disguise(&bytes) {
            Some(disguise) => format!("{} {disguise}", path.display()),
            None => format!("{} is not a tokenizer: {error}", path.display()),
        })
    })?;
    if !matches!(tokenizer.get_decoder(), Some(DecoderWrapper::ByteLevel(_))) {
        return Err(Error::UnsupportedModel(format!("{} is not a byte-level tokenizer", path.display())));
    }
    Ok(tokenizer)
}

/// The tokenizer of a file's contents, or what is wrong with them.
pub(super) fn parse(json: &[u8]) -> std::result::Result<Tokenizer, String> {
    let outline: Outline = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let tokenizer = read(json)?;
    let lost = outline.added_tokens.iter().any(|token| tokenizer.token_to_id(&token.content) != Some(token.id));
    if lost {
        return read(&with_places(json, &outline.added_tokens)?);
    }
    Ok(tokenizer)
}

/// `tokenizers` panics at some contents that are JSON, but no tokenizer.
fn read(json: &[u8]) -> std::result::Result<Tokenizer, String> {
    let made = catch_unwind(AssertUnwindSafe(|| Tokenizer::from_bytes(json)));
    made.map_err(|_| "its parts cannot be read".to_string())?.map_err(|error| error.to_string())
}

/// The same file with added tokens in the model's table: `tokenizers` numbers added tokens in their order, whatever ids the
/// file gives them, unless the table has them.
fn with_places(json: &[u8], added: &[Added]) -> std::result::Result<Vec<u8>, String> {
    let mut file: Value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    if let Some(table) = file["model"]["vocab"].as_object_mut() {
        let mut taken: HashSet<u64> = table.values().filter_map(Value::as_u64).collect();
        for token in added {
            if !table.contains_key(&token.content) && taken.insert(token.id.into()) {
                table.insert(token.content.clone(), token.id.into());
            }
        }
    }
    serde_json::to_vec(&file).map_err(|error| error.to_string())
}

/// The tokens that a tokenizer marks as special.
pub fn special_ids(tokenizer: &Tokenizer) -> HashSet<u32> {
    let added = tokenizer.get_added_tokens_decoder();
    added.into_iter().filter(|(_, token)| token.special).map(|(id, _)| id).collect()
}

/// The first id after all tokens. Ids below it may have no token.
pub fn end_id(tokenizer: &Tokenizer) -> usize {
    tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A byte-level tokenizer of four tokens, and the added ones.
    pub fn json(added: &[(u32, &str, bool)]) -> String {
        let added: Vec<Value> = added
            .iter()
            .map(|(id, content, special)| {
                serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false,
                                   "rstrip": false, "normalized": false, "special": special})
            })
            .collect();
        serde_json::json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": null,
            "post_processor": null, "added_tokens": added,
            "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                      "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "merges": [],
                      "vocab": {"<end>": 0, "Ġa": 1, "Ã": 2, "©": 3}}
        })
        .to_string()
    }

    #[test]
    fn added_tokens_keep_their_ids_after_a_gap() {
        let tokenizer = parse(json(&[(0, "<end>", true), (9, "[ball]", false)]).as_bytes()).unwrap();
        assert_eq!(tokenizer.token_to_id("[ball]"), Some(9));
        assert_eq!((end_id(&tokenizer), special_ids(&tokenizer)), (10, HashSet::from([0])));
        assert_eq!(tokenizer.encode("[ball]", false).unwrap().get_ids(), [9]);
        // An id that another token has is no place.
        let tokenizer = parse(json(&[(1, "[ball]", false)]).as_bytes()).unwrap();
        assert_eq!(tokenizer.id_to_token(1).as_deref(), Some("Ġa"));
    }

    #[test]
    fn what_is_no_tokenizer_is_said_and_does_not_panic() {
        let whole = json(&[(0, "<end>", true)]);
        for at in [0, 1, whole.len() / 2, whole.find("ByteLevel").unwrap(), whole.len() - 1] {
            assert!(parse(&whole.as_bytes()[..at]).is_err(), "cut at {at}");
        }
        for damage in ["\"decoder\":5", "\"decoder\":{\"type\":\"ByteLevel\",\"use_regex\":7}"] {
            let at = whole.find("\"decoder\":").unwrap();
            let end = at + whole[at..].find('}').unwrap() + 1;
            assert!(parse(format!("{}{damage}{}", &whole[..at], &whole[end..]).as_bytes()).is_err(), "{damage}");
        }
        assert!(parse(whole.replace("\"BPE\"", "\"Other\"").as_bytes()).is_err());
    }

    #[test]
    fn only_byte_level_tokenizers_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokenizer.json");
        std::fs::write(&path, json(&[])).unwrap();
        open_tokenizer(&path).unwrap();
        std::fs::write(&path, json(&[]).replace("\"ByteLevel\"", "\"Fuse\"")).unwrap();
        assert!(matches!(open_tokenizer(&path), Err(Error::UnsupportedModel(_))));
        std::fs::write(&path, &json(&[])[..100]).unwrap();
        assert!(matches!(open_tokenizer(&path), Err(Error::CorruptModel(_))));
    }
}

//! From token ids to text, by a table: a byte-level tokenizer's JSON is needed once, to make it.

use std::collections::HashSet;
use std::path::Path;

use tokenizers::{DecoderWrapper, Tokenizer};

use crate::{Error, Result};

/// The bytes of every token, end to end.
pub struct Vocabulary {
    bytes: Vec<u8>,
    /// Where each token's bytes end.
    ends: Vec<u32>,
}

impl Vocabulary {
    /// A table from its parts.
    ///
    /// # Errors
    /// `CorruptModel` if the ends do not rise to the number of bytes.
    pub fn new(bytes: Vec<u8>, ends: Vec<u32>) -> Result<Self> {
        if !ends.is_sorted() || ends.last().is_none_or(|end| *end as usize != bytes.len()) {
            return Err(Error::CorruptModel("the vocabulary's table is damaged".into()));
        }
        Ok(Self { bytes, ends })
    }

    /// The table of a tokenizer's tokens from id 0 on, at most `most` of them; those that are `silent` have no text.
    ///
    /// # Errors
    /// `CorruptModel` for a tokenizer without tokens.
    pub fn of(tokenizer: &Tokenizer, most: usize, silent: impl Fn(u32) -> bool) -> Result<Self> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for id in 0..tokenizer.get_vocab_size(true).min(most) as u32 {
            if let Some(token) = tokenizer.id_to_token(id).filter(|_| !silent(id)) {
                bytes.extend(token_bytes(&token));
            }
            ends.push(bytes.len() as u32);
        }
        Self::new(bytes, ends)
    }

    /// The bytes of all tokens and where each one's end.
    pub fn parts(&self) -> (&[u8], &[u32]) {
        (&self.bytes, &self.ends)
    }

    /// The text of a sequence; ids beyond the table have none, bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        for &id in ids {
            if let Some(&end) = self.ends.get(id as usize) {
                let start = if id == 0 { 0 } else { self.ends[id as usize - 1] };
                bytes.extend_from_slice(&self.bytes[start as usize..end as usize]);
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Reads a `tokenizer.json`.
///
/// # Errors
/// `CorruptModel` for a tokenizer that is damaged, `UnsupportedModel` for one that is not of the byte-level kind, and those of
/// reading.
pub fn open_tokenizer(path: &Path) -> Result<Tokenizer> {
    let bytes = std::fs::read(path).map_err(|error| Error::reading(path, &error))?;
    let tokenizer = Tokenizer::from_bytes(bytes)
        .map_err(|error| Error::CorruptModel(format!("{} is not a tokenizer: {error}", path.display())))?;
    if !matches!(tokenizer.get_decoder(), Some(DecoderWrapper::ByteLevel(_))) {
        return Err(Error::UnsupportedModel(format!("{} is not a byte-level tokenizer", path.display())));
    }
    Ok(tokenizer)
}

/// The tokens that a tokenizer marks as special.
pub fn special_ids(tokenizer: &Tokenizer) -> HashSet<u32> {
    let added = tokenizer.get_added_tokens_decoder();
    added.into_iter().filter(|(_, token)| token.special).map(|(id, _)| id).collect()
}

/// The bytes that a byte-level token stands for: each of its characters is one byte (GPT-2, `bytes_to_unicode`). A token
/// with other characters, such as an added one, stands for itself.
fn token_bytes(token: &str) -> Vec<u8> {
    token.chars().map(byte_of).collect::<Option<Vec<u8>>>().unwrap_or_else(|| token.as_bytes().to_vec())
}

/// Printable Latin-1 characters are their own byte; the other bytes, in order, are the characters from U+0100 on.
fn byte_of(c: char) -> Option<u8> {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    match u32::from(c) {
        code @ 0..=0xFF => Some(code as u8).filter(|b| printable(*b)),
        code => (0..=255u8).filter(|b| !printable(*b)).nth((code - 0x100) as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_one_character() {
        let characters: Vec<char> = (0..0x200).filter_map(char::from_u32).filter(|c| byte_of(*c).is_some()).collect();
        let mut bytes: Vec<u8> = characters.into_iter().filter_map(byte_of).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
        assert_eq!(token_bytes("Ġcat"), b" cat");
        assert_eq!(token_bytes("Ċ"), b"\n");
        assert_eq!(token_bytes("猫"), "猫".as_bytes());
    }

    #[test]
    fn ids_outside_the_table_are_silent() {
        let table = Vocabulary::new(b"abc".to_vec(), vec![1, 1, 3]).unwrap();
        assert_eq!(table.text(&[0, 1, 2, 99, 0]), "abca");
        assert!(Vocabulary::new(b"abc".to_vec(), vec![1, 2]).is_err());
    }

    #[test]
    fn a_table_decodes_whole_sequences_without_special_tokens() {
        let json = r#"{
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": null,
            "post_processor": null,
            "added_tokens": [
                {"id": 0, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false,
                 "normalized": false, "special": true},
                {"id": 4, "content": "  ", "single_word": false, "lstrip": false, "rstrip": false,
                 "normalized": true, "special": false}
            ],
            "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                      "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "merges": [],
                      "vocab": {"<end>": 0, "Ġa": 1, "Ã": 2, "©": 3}}
        }"#;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokenizer.json");
        std::fs::write(&path, json).unwrap();
        let tokenizer = open_tokenizer(&path).unwrap();
        let special = special_ids(&tokenizer);
        assert_eq!(special, HashSet::from([0]));
        let table = Vocabulary::of(&tokenizer, 100, |id| special.contains(&id)).unwrap();
        // Two tokens are the bytes of one character.
        assert_eq!(table.text(&[1, 2, 3, 4, 1, 0]), " aé   a");
        assert_eq!(table.text(&[2]), "\u{fffd}");
        assert_eq!(Vocabulary::of(&tokenizer, 2, |_| false).unwrap().text(&[0, 1, 2]), "<end> a");
        std::fs::write(&path, json.replace("ByteLevel\", \"add", "Fuse\", \"add")).unwrap();
        assert!(matches!(open_tokenizer(&path), Err(Error::UnsupportedModel(_))));
    }
}

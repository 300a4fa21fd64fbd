//! From token ids to text, by a table: a byte-level tokenizer's JSON is needed once, to make it.

use tokenizers::Tokenizer;

use super::tokenizer::end_id;
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

    /// The table of a tokenizer's tokens from id 0 on, at most `most` of them; those that are `silent` have no text, nor have ids
    /// without a token.
    ///
    /// # Errors
    /// `CorruptModel` for a tokenizer without tokens.
    pub fn of(tokenizer: &Tokenizer, most: usize, silent: impl Fn(u32) -> bool) -> Result<Self> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let added = tokenizer.get_added_tokens_decoder();
        for id in 0..end_id(tokenizer).min(most) as u32 {
            match added.get(&id) {
                _ if silent(id) => {}
                // No bytes are encoded in it, however much its letters look like it.
                Some(token) => bytes.extend(token.content.as_bytes()),
                None => bytes.extend(tokenizer.id_to_token(id).iter().flat_map(|token| token_bytes(token))),
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

/// The bytes that a byte-level token stands for: each of its characters is one byte (GPT-2, `bytes_to_unicode`). A token
/// with other characters stands for itself.
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
    use super::super::tokenizer::tests::json;
    use super::super::tokenizer::{parse, special_ids};
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
        let tokenizer = parse(json(&[(0, "<end>", true), (4, "  ", false)]).as_bytes()).unwrap();
        let special = special_ids(&tokenizer);
        let table = Vocabulary::of(&tokenizer, 100, |id| special.contains(&id)).unwrap();
        // Two tokens are the bytes of one character.
        assert_eq!(table.text(&[1, 2, 3, 4, 1, 0]), " aé   a");
        assert_eq!(table.text(&[2]), "\u{fffd}");
        assert_eq!(Vocabulary::of(&tokenizer, 2, |_| false).unwrap().text(&[0, 1, 2]), "<end> a");
    }

    #[test]
    fn added_tokens_print_as_themselves() {
        let added = [(4, "déjà", false), (5, "🎉", false), (9, "[ball]", false)];
        let tokenizer = parse(json(&added).as_bytes()).unwrap();
        let table = Vocabulary::of(&tokenizer, 100, |_| false).unwrap();
        // 6 to 8 are no tokens, 1 and 2 with 3 are bytes.
        assert_eq!(table.text(&[4, 1, 5, 6, 7, 8, 9, 2, 3, 10]), "déjà a🎉[ball]é");
        assert_eq!(table.parts().1.len(), 10);
        assert_eq!(Vocabulary::of(&tokenizer, 5, |_| false).unwrap().text(&[4, 5, 9]), "déjà");
    }
}

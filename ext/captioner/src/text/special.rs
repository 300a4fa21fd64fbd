use std::collections::HashSet;

use tokenizers::Tokenizer;

/// The tokens that a tokenizer marks as special.
pub fn special_ids(tokenizer: &Tokenizer) -> HashSet<u32> {
    let added = tokenizer.get_added_tokens_decoder();
    added.into_iter().filter(|(_, token)| token.special).map(|(id, _)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{byte_level, Vocabulary};
    use super::*;
    use crate::Error;

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
        let tokenizer = byte_level(&path).unwrap();
        let special = special_ids(&tokenizer);
        assert_eq!(special, HashSet::from([0]));
        let table = Vocabulary::of(&tokenizer, 100, |id| special.contains(&id)).unwrap();
        // Two tokens are the bytes of one character.
        assert_eq!(table.text(&[1, 2, 3, 4, 1, 0]), " aé   a");
        assert_eq!(table.text(&[2]), "\u{fffd}");
        assert_eq!(Vocabulary::of(&tokenizer, 2, |_| false).unwrap().text(&[0, 1, 2]), "<end> a");
        std::fs::write(&path, json.replace("ByteLevel\", \"add", "Fuse\", \"add")).unwrap();
        assert!(matches!(byte_level(&path), Err(Error::UnsupportedModel(_))));
    }
}

//! The tokenizer as the reference's processor has it: with special tokens appended, and the tasks' questions encoded.

use std::path::Path;

use tokenizers::{AddedToken, Tokenizer};

use super::task::Task;
use crate::text::{end_id, open_tokenizer, Vocabulary};
use crate::{Error, Result};

/// Reads `tokenizer.json` in `dir`: the table, and the ids of each task's prompt. `vocabulary` is the number of rows of the
/// model's token table.
///
/// # Errors
/// `CorruptModel` for a tokenizer that is damaged or encodes outside the table, `UnsupportedModel` for one that is not of
/// the byte-level kind.
pub fn read(dir: &Path, vocabulary: usize) -> Result<(Vocabulary, Vec<Vec<u32>>)> {
    let path = dir.join("tokenizer.json");
    let mut tokenizer = open_tokenizer(&path)?;
    append_special_tokens(&mut tokenizer, vocabulary)
        .map_err(|error| Error::CorruptModel(format!("{}: {error}", path.display())))?;
    let prompts: Vec<Vec<u32>> = Task::ALL
        .iter()
        .map(|task| tokenizer.encode(task.prompt(), true).map(|e| e.get_ids().to_vec()).unwrap_or_default())
        .collect();
    if prompts.iter().any(|ids| ids.is_empty() || ids.iter().any(|id| *id as usize >= vocabulary)) {
        return Err(Error::CorruptModel(format!(
            "{} does not encode the prompts within the model's {vocabulary} tokens",
            path.display()
        )));
    }
    Ok((Vocabulary::of(&tokenizer, vocabulary, |_| false)?, prompts))
}

/// Adds the special tokens that the reference's processor appends, in its order, as far as the table has rows for them.
fn append_special_tokens(tokenizer: &mut Tokenizer, vocabulary: usize) -> tokenizers::Result<()> {
    let words = |list: &'static str| list.split(' ').map(str::to_string);
    let all = words("<od> </od> <ocr> </ocr>").chain((0..1000).map(|i| format!("<loc_{i}>"))).chain(words(
        "<cap> </cap> <ncap> </ncap> <dcap> </dcap> <grounding> </grounding> <seg> </seg> <sep> <region_cap> \
         </region_cap> <region_to_desciption> </region_to_desciption> <proposal> </proposal> <poly> </poly> <and>",
    ));
    let room = vocabulary.saturating_sub(end_id(tokenizer));
    let missing: Vec<AddedToken> = all
        .filter(|token| tokenizer.token_to_id(token).is_none())
        .take(room)
        .map(|token| AddedToken::from(token, true))
        .collect();
    tokenizer.add_special_tokens(missing).map(drop)
}

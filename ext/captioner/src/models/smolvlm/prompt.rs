//! The prompt (`Idefics3Processor` and the chat template): a user's turn of an image and a question, and the start of the answer.
//!
//! ```text
//! <|im_start|>User:                                                       head
//!   <fake><row_1_col_1>64 x <image> <fake><row_1_col_2>64 x <image> ...   a row of tiles, and \n
//!   ...                                                                   after the last row \n\n
//!   <fake><global-img>64 x <image><fake>                                  the whole picture
//! Can you describe this image?<end_of_utterance>\nAssistant:              tail
//! ```

use std::path::Path;

use serde::{Deserialize, Serialize};
use tokenizers::Tokenizer;

use super::tiles::Grid;
use crate::text::{Prompt, PromptBuilder};
use crate::{Error, Result};

/// The question behind the family's one task: that of the application whose answers this family's captions replace.
pub const QUESTION: &str = "Can you describe this image?";

/// The pieces that prompts are made of, as token ids. Special tokens stand between them, so each is encoded alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pieces {
    head: Vec<u32>,
    row_end: Vec<u32>,
    last_row_end: Vec<u32>,
    /// The tail of the family's own question.
    tail: Vec<u32>,
    fake: u32,
    global: u32,
    image: u32,
    /// `<row_r_col_c>`, row by row.
    places: Vec<Vec<u32>>,
    /// Ends an answer.
    pub end_of_utterance: u32,
}

impl Pieces {
    /// Encodes the pieces of prompts for at most `most` tiles a side. `image` is the token in whose place images stand.
    ///
    /// # Errors
    /// `CorruptModel` naming `path` for a tokenizer that lacks a token of the family.
    pub fn new(tokenizer: &Tokenizer, path: &Path, image: u32, most: usize) -> Result<Self> {
        let token = |token: &str| {
            tokenizer
                .token_to_id(token)
                .ok_or_else(|| Error::CorruptModel(format!("{} has no token {token}; fetch it again", path.display())))
        };
        let row = |row| (1..=most).map(|col| token(&format!("<row_{row}_col_{col}>"))).collect::<Result<Vec<u32>>>();
        Ok(Self {
            head: encode(tokenizer, "<|im_start|>User:")?,
            row_end: encode(tokenizer, "\n")?,
            last_row_end: encode(tokenizer, "\n\n")?,
            tail: encode(tokenizer, &tail(QUESTION))?,
            fake: token("<fake_token_around_image>")?,
            global: token("<global-img>")?,
            image,
            places: (1..=most).map(row).collect::<Result<_>>()?,
            end_of_utterance: token("<end_of_utterance>")?,
        })
    }

    /// Every id that a prompt may have.
    pub fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        let lists = [&self.head, &self.row_end, &self.last_row_end, &self.tail];
        let single = [self.fake, self.global, self.image, self.end_of_utterance];
        lists.into_iter().chain(&self.places).flatten().copied().chain(single)
    }

    /// Does a model with `vocabulary` tokens have rows for all of them, and are there places for `most` tiles a side?
    ///
    /// # Errors
    /// `CorruptModel` if not.
    pub fn check(&self, vocabulary: usize, most: usize) -> Result<()> {
        if let Some(id) = self.ids().find(|id| *id as usize >= vocabulary) {
            return Err(Error::CorruptModel(format!("token {id} is outside the model's {vocabulary}")));
        }
        if self.places.len() < most || self.places[..most].iter().any(|row| row.len() < most) {
            return Err(Error::CorruptModel(format!("a prompt has no places for {most} tiles a side")));
        }
        Ok(())
    }

    /// Positions that the whole prompt takes, told before it is made; the arguments are those of [`Pieces::prompt`].
    pub fn length(&self, grid: Grid, rows: usize, tail: Option<&[u32]>) -> usize {
        let images = grid.images().saturating_mul(rows.saturating_add(2)).saturating_add(1);
        let ends = match grid.rows {
            0 => 0,
            rows => (rows - 1) * self.row_end.len() + self.last_row_end.len(),
        };
        images.saturating_add(self.head.len() + ends + tail.map_or(self.tail.len(), <[u32]>::len))
    }

    /// The whole prompt for a picture that is cut as `grid` says, each image being `rows` tokens; `tail` is a question's of the
    /// caller's own.
    pub fn prompt(&self, grid: Grid, rows: usize, tail: Option<&[u32]>) -> Prompt {
        let mut prompt = PromptBuilder::default();
        prompt.ids(&self.head);
        for row in 0..grid.rows {
            for col in 0..grid.cols {
                prompt.ids(&[self.fake, self.places[row][col]]).image(self.image, rows);
            }
            prompt.ids(if row + 1 == grid.rows { &self.last_row_end } else { &self.row_end });
        }
        prompt.ids(&[self.fake, self.global]).image(self.image, rows).ids(&[self.fake]);
        prompt.ids(tail.unwrap_or(&self.tail)).build()
    }
}

/// A question, and the start of its answer: what stands behind the image.
pub fn tail(question: &str) -> String {
    format!(
        "{question}<end_of_utterance>
Assistant:"
    )
}

fn encode(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    let encoding = tokenizer.encode_fast(text, false);
    let encoding = encoding.map_err(|error| Error::InvalidArgument(format!("{text:?} cannot be encoded: {error}")))?;
    Ok(encoding.get_ids().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_prompts() {
        let places = vec![vec![7; 3]; 3];
        let pieces = Pieces {
            head: vec![1, 2],
            row_end: vec![3],
            last_row_end: vec![3, 3],
            tail: vec![4, 5, 6],
            fake: 8,
            global: 9,
            image: 10,
            places,
            end_of_utterance: 11,
        };
        for grid in [(0, 0), (1, 2), (3, 1), (3, 3)].map(|(rows, cols)| Grid { rows, cols }) {
            for tail in [None, Some(&[1; 9][..])] {
                assert_eq!(pieces.length(grid, 5, tail), pieces.prompt(grid, 5, tail).ids().len(), "{grid:?}");
            }
        }
        assert_eq!(pieces.length(Grid { rows: 3, cols: 3 }, usize::MAX, None), usize::MAX);
    }
}

//! Greedy search: the largest logit, and no probabilities.

use super::logits::{Choice, Processors};
use super::step::Step;
use super::Settings;
use crate::kernels::max;

/// Tokens whose largest logit is looked at before each of them is.
const RUN: usize = 64;

/// The state of a greedy search.
pub struct Greedy {
    eos_token_ids: Vec<u32>,
    processors: Processors,
    max_length: usize,
    tokens: Vec<u32>,
}

impl Greedy {
    /// A search for at most `max_new_tokens` tokens after `context`.
    pub fn new(settings: Settings, context: &[u32], max_new_tokens: usize) -> Self {
        let max_length = max_new_tokens + context.len();
        let eos_token_ids = settings.eos_token_ids.clone();
        Self { eos_token_ids, processors: Processors::new(settings, max_length), max_length, tokens: context.to_vec() }
    }

    /// The sequence, its context included.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Takes the logits of the next token.
    pub fn advance(&mut self, logits: &[f32]) -> Step {
        let token = match self.processors.choice(&self.tokens) {
            Choice::Forced(token) => token,
            Choice::AllBut(banned) => largest(logits, &banned),
        };
        self.tokens.push(token);
        if self.eos_token_ids.contains(&token) || self.tokens.len() >= self.max_length {
            return Step::Done;
        }
        Step::Continue { parents: vec![0] }
    }
}

/// The token with the largest logit, of equal ones the first.
fn largest(logits: &[f32], banned: &[u32]) -> u32 {
    let (mut best, mut top) = (0, f32::NEG_INFINITY);
    for (run, logits) in logits.chunks(RUN).enumerate() {
        if max(logits) <= top {
            continue;
        }
        for (i, logit) in logits.iter().enumerate() {
            let token = (run * RUN + i) as u32;
            if *logit > top && !banned.contains(&token) {
                (best, top) = (token, *logit);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::search::tests::{run, settings};
    use super::super::EarlyStopping;
    use super::*;

    #[test]
    fn it_follows_the_largest_logit_to_an_end() {
        let model = |last: u32| if last == 4 { vec![0.0, 0.0, 9.0, 0.0, 0.0] } else { vec![0.0, 0.0, 1.0, 2.0, 3.0] };
        assert_eq!(run(settings(1, EarlyStopping::No), &[2], 10, model), [2, 4, 2]);
        let two = Settings { eos_token_ids: vec![9, 4], ..settings(1, EarlyStopping::No) };
        assert_eq!(run(two, &[7, 2], 10, model), [7, 2, 4]);
    }

    #[test]
    fn the_length_limit_counts_what_is_generated() {
        let model = |_| vec![1.0, 0.0, -9.0, 0.5, 0.2];
        assert_eq!(run(settings(1, EarlyStopping::Yes), &[2, 2, 2], 4, model), [2, 2, 2, 0, 0, 0, 0]);
    }

    #[test]
    fn ngrams_of_the_context_cannot_come_again() {
        let model = |_| vec![1.0, 0.5, -9.0, 0.0, 0.0];
        let settings = Settings { no_repeat_ngram_size: 2, ..settings(1, EarlyStopping::No) };
        // 0 has followed 1 and 0 before, 1 has not followed 0.
        assert_eq!(run(settings, &[1, 0, 0], 2, model), [1, 0, 0, 1, 1]);
    }

    #[test]
    fn of_equal_logits_the_first_counts_and_of_the_banned_none() {
        let mut logits = vec![0.0; 200];
        (logits[70], logits[71], logits[150]) = (5.0, 5.0, 5.0);
        assert_eq!(largest(&logits, &[]), 70);
        assert_eq!(largest(&logits, &[70, 71]), 150);
        assert_eq!(largest(&logits, &[70, 71, 150]), 0);
        assert_eq!(largest(&[f32::NAN, -1.0, f32::NAN], &[]), 1);
    }
}

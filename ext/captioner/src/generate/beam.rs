//! Beam search over one image (transformers 5, `GenerationMixin._beam_search`, with a batch of one).

use super::logits::{Choice, Processors};
use super::step::Step;
use super::{EarlyStopping, Settings};
use crate::kernels::{log_sum_exp, max};
use crate::runtime::each;

/// A score that stands for "not there"; the reference's own constant, so that ties fall as they do there.
const ABSENT: f32 = -1.0e9;

/// Tokens whose largest score is looked at before each of them is.
const RUN: usize = 64;

/// The state of a beam search.
pub struct BeamSearch {
    settings: Settings,
    processors: Processors,
    /// Tokens before the first generated one.
    context: usize,
    max_length: usize,
    running: Vec<Beam>,
    /// The best finished sequences, best first; at most `num_beams`.
    finished: Vec<Beam>,
}

#[derive(Clone)]
struct Beam {
    tokens: Vec<u32>,
    score: f32,
}

/// A possible next token of a running beam.
#[derive(Clone, Copy)]
struct Candidate {
    parent: usize,
    token: u32,
    score: f32,
}

impl BeamSearch {
    /// A search for at most `max_new_tokens` tokens after `context`.
    pub fn new(settings: Settings, context: &[u32], max_new_tokens: usize) -> Self {
        let max_length = max_new_tokens + context.len();
        // Only the first beam counts at first, or all beams would choose the same tokens.
        let running = (0..settings.num_beams)
            .map(|i| Beam { tokens: context.to_vec(), score: if i == 0 { 0.0 } else { ABSENT } })
            .collect();
        let processors = Processors::new(settings.clone(), max_length);
        Self { settings, processors, context: context.len(), max_length, running, finished: Vec::new() }
    }

    /// Running beams that need a row of logits: one while all are alike.
    pub fn beams(&self) -> usize {
        if self.length() == self.context {
            1
        } else {
            self.running.len()
        }
    }

    /// The last token of each beam that needs logits.
    pub fn last_tokens(&self) -> Vec<u32> {
        self.running[..self.beams()].iter().filter_map(|beam| beam.tokens.last().copied()).collect()
    }

    /// Tokens of the running sequences, the context included.
    pub fn length(&self) -> usize {
        self.running[0].tokens.len()
    }

    /// Takes the logits of the next token, `[beams, vocabulary]`.
    pub fn advance(&mut self, logits: &[f32], vocabulary: usize) -> Step {
        let length = self.length();
        let width = self.settings.num_beams;
        let rows = logits.chunks_exact(vocabulary);
        let mut shifts: Vec<(&[f32], f32)> = rows.map(|row| (row, 0.0)).collect();
        each(&mut shifts, |(row, shift)| *shift = log_sum_exp(row));
        let context = self.context;
        let row = |beam: usize| if length == context { 0 } else { beam };
        let mut best = Best::new(2 * width);
        for (parent, beam) in self.running.iter().enumerate() {
            let (logits, shift) = shifts[row(parent)];
            best.offer_all(parent, beam.score, logits, shift, &self.processors.choice(&beam.tokens));
        }
        let candidates = best.candidates;
        let at_limit = length + 1 == self.max_length;
        let ends = |c: &Candidate| at_limit || self.settings.eos_token_ids.contains(&c.token);

        // Of the candidates, only the first `num_beams` may finish; the others are there to go on in their place.
        let generated = (length + 1 - context) as f32;
        let mut ended = Vec::new();
        for candidate in candidates.iter().take(width).filter(|c| ends(c)) {
            let score = candidate.score / generated.powf(self.settings.length_penalty);
            ended.push(Beam { tokens: self.extended(candidate), score });
        }
        let next: Vec<Candidate> = candidates.iter().filter(|c| !ends(c)).take(width).copied().collect();
        ended.into_iter().for_each(|beam| self.finish(beam));
        if next.len() < width {
            return Step::Done;
        }
        self.running = next.iter().map(|c| Beam { tokens: self.extended(c), score: c.score }).collect();
        if self.is_decided(length + 1) {
            return Step::Done;
        }
        Step::Continue { parents: next.iter().map(|c| row(c.parent)).collect() }
    }

    /// The best sequence, the context included. Before the end, the best running one.
    pub fn best(&self) -> &[u32] {
        &self.finished.first().unwrap_or(&self.running[0]).tokens
    }

    fn extended(&self, candidate: &Candidate) -> Vec<u32> {
        let mut tokens = self.running[candidate.parent].tokens.clone();
        tokens.push(candidate.token);
        tokens
    }

    fn finish(&mut self, beam: Beam) {
        let at = self.finished.partition_point(|other| other.score >= beam.score);
        self.finished.insert(at, beam);
        self.finished.truncate(self.settings.num_beams);
    }

    /// May the search stop, now that the running sequences have `length` tokens?
    fn is_decided(&self, length: usize) -> bool {
        if self.finished.len() < self.settings.num_beams {
            return false;
        }
        let penalty = self.settings.length_penalty;
        let hypothetical = match self.settings.early_stopping {
            EarlyStopping::Yes => return true,
            EarlyStopping::Never if penalty > 0.0 => self.max_length - self.context,
            _ => length - self.context,
        };
        let best_possible = self.running[0].score / (hypothetical as f32).powf(penalty);
        let worst = self.finished[self.finished.len() - 1].score;
        best_possible <= worst
    }
}

/// The `keep` highest scores, best first; of equal ones the earlier.
struct Best {
    keep: usize,
    candidates: Vec<Candidate>,
    floor: f32,
}

impl Best {
    fn new(keep: usize) -> Self {
        Self { keep, candidates: Vec::with_capacity(keep + 1), floor: f32::NEG_INFINITY }
    }

    /// Would it take a later candidate of this score?
    #[inline]
    fn wants(&self, score: f32) -> bool {
        self.candidates.len() < self.keep || score > self.floor
    }

    /// Offers each token that may follow a beam; its log-probability is its logit less `shift`.
    fn offer_all(&mut self, parent: usize, score: f32, logits: &[f32], shift: f32, choice: &Choice) {
        for (run, logits) in logits.chunks(RUN).enumerate() {
            // What is not free to choose is offered one by one.
            let free = matches!(choice, Choice::AllBut(_));
            if free && !self.wants(max(logits) - shift + score) {
                continue;
            }
            for (i, logit) in logits.iter().enumerate() {
                let (token, log_probability) = ((run * RUN + i) as u32, logit - shift);
                if !free || self.wants(log_probability + score) {
                    self.offer(Candidate { parent, token, score: choice.score(token, log_probability) + score });
                }
            }
        }
    }

    #[inline]
    fn offer(&mut self, candidate: Candidate) {
        if !self.wants(candidate.score) {
            return;
        }
        let at = self.candidates.partition_point(|other| other.score >= candidate.score);
        self.candidates.insert(at, candidate);
        self.candidates.truncate(self.keep);
        self.floor = self.candidates[self.candidates.len() - 1].score;
    }
}

#[cfg(test)]
mod tests {
    use super::super::search::tests::{run, settings};
    use super::*;

    #[test]
    fn two_beams_find_what_greedy_misses() {
        // 3 looks best at once, but only 4 is followed by a certain end.
        let model = |last: u32| match last {
            2 => vec![-9.0, -9.0, -9.0, 0.1, 0.0],
            3 => vec![0.0, 0.0, 0.0, 0.0, 0.0],
            _ => vec![-9.0, -9.0, 9.0, -9.0, -9.0],
        };
        assert_eq!(run(settings(2, EarlyStopping::Never), &[2], 10, model)[..3], [2, 4, 2]);
        // Whatever stands before, only what is generated counts.
        let long = run(settings(2, EarlyStopping::Never), &[4, 3, 4, 2], 10, model);
        assert_eq!(long[..6], [4, 3, 4, 2, 4, 2]);
    }

    #[test]
    fn the_penalty_is_for_generated_tokens_alone() {
        // 3 ends at once; 4 is likelier, and followed by a long certain way.
        let model = |last: u32| match last {
            2 => vec![-9.0, -9.0, -9.0, 0.0, 0.3],
            3 => vec![-20.0, -20.0, 0.0, -20.0, -20.0],
            _ => vec![-20.0, -20.0, -20.0, -20.0, 0.0],
        };
        for (penalty, second) in [(0.0, 4), (1.0, 4), (-2.0, 3)] {
            let settings = Settings { length_penalty: penalty, ..settings(2, EarlyStopping::Never) };
            let plain = run(settings.clone(), &[2], 6, model);
            assert_eq!(plain[1], second, "penalty {penalty}");
            let mut after = run(settings, &[1, 1, 1, 1, 1, 2], 6, model);
            assert_eq!(after.split_off(5), plain, "penalty {penalty}");
        }
    }

    #[test]
    fn each_end_token_ends() {
        let model = |_| vec![0.0, 0.0, 0.0, 2.0, 1.0];
        let settings = Settings { eos_token_ids: vec![3, 4], ..settings(2, EarlyStopping::Yes) };
        assert_eq!(run(settings, &[2], 10, model), [2, 3]);
    }

    #[test]
    fn the_length_limit_ends_every_beam() {
        let model = |_| vec![1.0, 0.0, -9.0, 0.5, 0.2];
        for context in [&[2][..], &[2, 2, 2]] {
            assert_eq!(run(settings(3, EarlyStopping::Yes), context, 5, model).len(), context.len() + 5);
        }
    }
}

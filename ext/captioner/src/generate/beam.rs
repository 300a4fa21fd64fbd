//! Beam search over one image (transformers 5, `GenerationMixin._beam_search`, with a batch of one).

use super::logits::{Choice, EarlyStopping, Processors, Settings};
use crate::kernels::{log_sum_exp, max};
use crate::runtime::each;

/// A score that stands for "not there"; the reference's own constant, so that ties fall as they do there.
const ABSENT: f32 = -1.0e9;

/// Tokens whose largest score is looked at before each of them is.
const RUN: usize = 64;

/// What follows a step.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Beam `i` continues what was beam `parents[i]`; [`Search::last_tokens`] says with what.
    Continue { parents: Vec<usize> },
    /// The search is over.
    Done,
}

/// The state of a search.
pub struct Search {
    settings: Settings,
    processors: Processors,
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

impl Search {
    /// A search that generates at most `max_new_tokens` after the start token.
    pub fn new(settings: Settings, max_new_tokens: usize) -> Self {
        let max_length = max_new_tokens + 1;
        let start = vec![settings.decoder_start_token_id];
        // Only the first beam counts at first, or all beams would choose the same tokens.
        let running = (0..settings.num_beams)
            .map(|i| Beam { tokens: start.clone(), score: if i == 0 { 0.0 } else { ABSENT } })
            .collect();
        let processors = Processors::new(settings.clone(), max_length);
        Self { settings, processors, max_length, running, finished: Vec::new() }
    }

    /// Running beams, each of which needs a row of logits in the next [`Search::advance`]. All are alike at first, so the
    /// first step needs one.
    pub fn beams(&self) -> usize {
        if self.length() == 1 {
            1
        } else {
            self.running.len()
        }
    }

    /// The last token of each beam that needs logits.
    pub fn last_tokens(&self) -> Vec<u32> {
        self.running[..self.beams()].iter().map(|beam| beam.tokens[beam.tokens.len() - 1]).collect()
    }

    /// Tokens of the running sequences, the start token included.
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
        let row = |beam: usize| if length == 1 { 0 } else { beam };
        let mut best = Best::new(if width == 1 { 1 } else { 2 * width });
        for (parent, beam) in self.running.iter().enumerate() {
            let (logits, shift) = shifts[row(parent)];
            best.offer_all(parent, beam.score, logits, shift, &self.processors.choice(&beam.tokens));
        }
        let candidates = best.candidates;
        let at_limit = length + 1 == self.max_length;
        let eos = self.settings.eos_token_id;
        let ends = |c: &Candidate| at_limit || c.token == eos;

        // Of the candidates, only the first `num_beams` may finish; the others are there to go on in their place.
        for candidate in candidates[..width].iter().filter(|c| ends(c)) {
            let score = candidate.score / (length as f32).powf(self.settings.length_penalty);
            self.finish(Beam { tokens: self.extended(candidate), score });
        }
        let next: Vec<Candidate> = candidates.iter().filter(|c| !ends(c)).take(width).copied().collect();
        if next.len() < width {
            return Step::Done;
        }
        self.running = next.iter().map(|c| Beam { tokens: self.extended(c), score: c.score }).collect();
        if self.is_decided(length + 1) {
            return Step::Done;
        }
        Step::Continue { parents: next.iter().map(|c| row(c.parent)).collect() }
    }

    /// The best sequence, the start token included. Before the end, the best running one.
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
            EarlyStopping::Never if penalty > 0.0 => self.max_length - 1,
            _ => length - 1,
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
    use super::*;

    fn settings(num_beams: usize, early_stopping: EarlyStopping) -> Settings {
        Settings {
            num_beams,
            early_stopping,
            length_penalty: 1.0,
            no_repeat_ngram_size: 0,
            forced_bos_token_id: None,
            forced_eos_token_id: None,
            decoder_start_token_id: 2,
            eos_token_id: 2,
        }
    }

    /// Runs a search over a model whose logits depend on the last token alone.
    fn run(settings: Settings, max_new_tokens: usize, model: impl Fn(u32) -> Vec<f32>) -> Vec<u32> {
        let mut search = Search::new(settings, max_new_tokens);
        loop {
            let logits: Vec<f32> = search.last_tokens().into_iter().flat_map(&model).collect();
            let vocabulary = logits.len() / search.beams();
            if search.advance(&logits, vocabulary) == Step::Done {
                return search.best().to_vec();
            }
        }
    }

    #[test]
    fn greedy_follows_the_largest_logit_to_the_end() {
        let model = |last: u32| if last == 4 { vec![0.0, 0.0, 9.0, 0.0, 0.0] } else { vec![0.0, 0.0, 1.0, 2.0, 3.0] };
        assert_eq!(run(settings(1, EarlyStopping::No), 10, model), [2, 4, 2]);
    }

    #[test]
    fn two_beams_find_what_greedy_misses() {
        // 3 looks best at once, but only 4 is followed by a certain end.
        let model = |last: u32| match last {
            2 => vec![-9.0, -9.0, -9.0, 0.1, 0.0],
            3 => vec![0.0, 0.0, 0.0, 0.0, 0.0],
            _ => vec![-9.0, -9.0, 9.0, -9.0, -9.0],
        };
        assert_eq!(run(settings(2, EarlyStopping::Never), 10, model)[..3], [2, 4, 2]);
    }

    #[test]
    fn the_length_limit_ends_every_beam() {
        let model = |_| vec![1.0, 0.0, -9.0, 0.5, 0.2];
        for beams in [1, 3] {
            assert_eq!(run(settings(beams, EarlyStopping::Yes), 5, model).len(), 6);
        }
    }
}

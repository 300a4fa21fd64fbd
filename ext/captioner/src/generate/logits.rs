//! The processors that settings stand for (transformers, `generation/logits_process.py`), in the order of the reference:
//! n-grams, forced BOS, forced EOS.

use super::Settings;

/// What is done to the scores of the next token.
pub struct Processors {
    settings: Settings,
    /// Tokens of a whole sequence, its context included.
    max_length: usize,
}

impl Processors {
    /// Processors for sequences of at most `max_length` tokens.
    pub fn new(settings: Settings, max_length: usize) -> Self {
        Self { settings, max_length }
    }

    /// What the token after `tokens` may be.
    pub fn choice(&self, tokens: &[u32]) -> Choice {
        if let Some(token) = self.forced(tokens.len()) {
            return Choice::Forced(token);
        }
        let n = self.settings.no_repeat_ngram_size;
        if n == 0 || tokens.len() + 1 < n {
            return Choice::AllBut(Vec::new());
        }
        let tail = &tokens[tokens.len() + 1 - n..];
        let repeated = tokens.windows(n).filter(|ngram| ngram[..n - 1] == *tail);
        Choice::AllBut(repeated.map(|ngram| ngram[n - 1]).collect())
    }

    fn forced(&self, length: usize) -> Option<u32> {
        let eos = self.settings.forced_eos_token_id.filter(|_| length + 1 == self.max_length);
        eos.or(self.settings.forced_bos_token_id.filter(|_| length == 1))
    }
}

/// What a next token may be; any other has a log-probability of negative infinity.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    /// This one, whose log-probability becomes zero.
    Forced(u32),
    /// Any but these.
    AllBut(Vec<u32>),
}

impl Choice {
    /// Its log-probability if it was `log_probability` for a free choice.
    pub fn score(&self, token: u32, log_probability: f32) -> f32 {
        match self {
            Self::Forced(forced) if *forced == token => 0.0,
            Self::Forced(_) => f32::NEG_INFINITY,
            Self::AllBut(banned) if banned.contains(&token) => f32::NEG_INFINITY,
            Self::AllBut(_) => log_probability,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            no_repeat_ngram_size: 3,
            forced_bos_token_id: Some(0),
            forced_eos_token_id: Some(2),
            ..Settings::greedy(vec![2])
        }
    }

    #[test]
    fn an_ngram_cannot_come_twice() {
        let processors = Processors::new(settings(), 100);
        let choice = processors.choice(&[2, 0, 5, 6, 7, 5, 6]);
        assert_eq!(choice, Choice::AllBut(vec![7]));
        assert_eq!([6, 7].map(|token| choice.score(token, -1.5)), [-1.5, f32::NEG_INFINITY]);
        assert_eq!(processors.choice(&[2, 0, 5, 6]), Choice::AllBut(Vec::new()));
    }

    #[test]
    fn the_ends_are_forced() {
        let processors = Processors::new(settings(), 4);
        for (tokens, forced) in [(&[2][..], 0), (&[2, 0, 5], 2)] {
            let choice = processors.choice(tokens);
            assert_eq!(choice, Choice::Forced(forced));
            assert_eq!([forced, 5].map(|token| choice.score(token, -1.5)), [0.0, f32::NEG_INFINITY]);
        }
    }
}

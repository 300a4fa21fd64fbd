//! Generation settings and the processors that they stand for (transformers, `generation/logits_process.py`). Processors
//! work on log-probabilities, in the order of the reference: n-grams, forced BOS, forced EOS.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// When beam search may stop before the length limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyStopping {
    /// `true`: as soon as there are `num_beams` finished captions.
    Yes,
    /// `false`: when the best running beam, at its current length, cannot beat the worst finished one.
    No,
    /// `"never"`: when it could not even at the length limit.
    Never,
}

impl<'de> Deserialize<'de> for EarlyStopping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Bool(true) => Ok(EarlyStopping::Yes),
            serde_json::Value::Bool(false) => Ok(EarlyStopping::No),
            serde_json::Value::String(word) if word == "never" => Ok(EarlyStopping::Never),
            other => Err(serde::de::Error::custom(format!("early_stopping is true, false or \"never\", not {other}"))),
        }
    }
}

impl Serialize for EarlyStopping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            EarlyStopping::Yes => serializer.serialize_bool(true),
            EarlyStopping::No => serializer.serialize_bool(false),
            EarlyStopping::Never => serializer.serialize_str("never"),
        }
    }
}

/// The settings of one generation, under the names that transformers gives them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    pub num_beams: usize,
    pub early_stopping: EarlyStopping,
    pub length_penalty: f32,
    pub no_repeat_ngram_size: usize,
    pub forced_bos_token_id: Option<u32>,
    pub forced_eos_token_id: Option<u32>,
    pub decoder_start_token_id: u32,
    pub eos_token_id: u32,
}

/// What is done to the scores of the next token.
pub struct Processors {
    settings: Settings,
    /// Tokens of a whole sequence, the start token included.
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
            num_beams: 1,
            early_stopping: EarlyStopping::No,
            length_penalty: 1.0,
            no_repeat_ngram_size: 3,
            forced_bos_token_id: Some(0),
            forced_eos_token_id: Some(2),
            decoder_start_token_id: 2,
            eos_token_id: 2,
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

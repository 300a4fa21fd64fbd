//! What a generation is asked for.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

/// More beams than this help no caption and only take memory.
pub(super) const MAX_BEAMS: usize = 32;

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// One beam is greedy search.
    pub num_beams: usize,
    pub early_stopping: EarlyStopping,
    pub length_penalty: f32,
    pub no_repeat_ngram_size: usize,
    pub forced_bos_token_id: Option<u32>,
    pub forced_eos_token_id: Option<u32>,
    /// What a decoder without a prompt starts with.
    #[serde(default)]
    pub decoder_start_token_id: Option<u32>,
    /// Each of these ends a sequence. In JSON `eos_token_id`, one or a list.
    #[serde(default, rename = "eos_token_id", with = "token_ids")]
    pub eos_token_ids: Vec<u32>,
}

impl Settings {
    /// Can a model with `vocabulary` tokens be asked this?
    ///
    /// # Errors
    /// `CorruptModel` if not: the settings are a checkpoint's own.
    pub fn check(&self, vocabulary: usize) -> crate::Result<()> {
        let ids = [self.forced_bos_token_id, self.forced_eos_token_id, self.decoder_start_token_id];
        let mut ids = ids.into_iter().flatten().chain(self.eos_token_ids.iter().copied());
        let wrong = |what: String| Err(Error::CorruptModel(format!("generation settings: {what}")));
        if let Some(id) = ids.find(|id| *id as usize >= vocabulary) {
            return wrong(format!("token {id} is outside the vocabulary"));
        }
        if !(1..=MAX_BEAMS).contains(&self.num_beams) {
            return wrong(format!("num_beams is {}, it must be from 1 to {MAX_BEAMS}", self.num_beams));
        }
        if !self.length_penalty.is_finite() {
            return wrong(format!("length_penalty is {}", self.length_penalty));
        }
        Ok(())
    }

    /// Greedy search until one of `eos_token_ids`.
    pub fn greedy(eos_token_ids: Vec<u32>) -> Self {
        Self {
            num_beams: 1,
            early_stopping: EarlyStopping::No,
            length_penalty: 1.0,
            no_repeat_ngram_size: 0,
            forced_bos_token_id: None,
            forced_eos_token_id: None,
            decoder_start_token_id: None,
            eos_token_ids,
        }
    }
}

/// Token ids that configurations write as one number, as a list, or as `null` for none (`#[serde(with = "token_ids")]`).
pub mod token_ids {
    use super::*;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(u32),
        Many(Vec<u32>),
    }

    /// Reads one, a list or `null`.
    ///
    /// # Errors
    /// The deserializer's, for anything else.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
        Ok(match Option::<OneOrMany>::deserialize(deserializer)? {
            None => Vec::new(),
            Some(OneOrMany::One(id)) => vec![id],
            Some(OneOrMany::Many(ids)) => ids,
        })
    }

    /// Writes a single id as a number.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(ids: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
        match ids {
            [id] => serializer.serialize_u32(*id),
            ids => ids.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_no_model_can_follow_are_refused() {
        let greedy = || Settings::greedy(vec![2]);
        assert!(greedy().check(3).is_ok());
        for (settings, what) in [
            (Settings::greedy(vec![3]), "token 3"),
            (Settings { forced_bos_token_id: Some(u32::MAX), ..greedy() }, "token 4294967295"),
            (Settings { num_beams: usize::MAX, ..greedy() }, "num_beams"),
            (Settings { num_beams: 0, ..greedy() }, "num_beams"),
            (Settings { length_penalty: f32::INFINITY, ..greedy() }, "length_penalty"),
        ] {
            let Err(Error::CorruptModel(message)) = settings.check(3) else { panic!("{settings:?}") };
            assert!(message.contains(what), "{message}");
        }
    }

    #[test]
    fn end_tokens_are_one_a_list_or_none() {
        let written = |ids: &[u32]| serde_json::to_value(Settings::greedy(ids.to_vec())).unwrap();
        for (ids, json) in [(vec![2], "2"), (vec![2, 7], "[2,7]"), (vec![], "[]")] {
            let value = written(&ids);
            assert_eq!(value["eos_token_id"].to_string(), json);
            assert_eq!(serde_json::from_value::<Settings>(value).unwrap(), Settings::greedy(ids));
        }
        let mut value = written(&[3]);
        value["eos_token_id"] = serde_json::Value::Null;
        assert!(serde_json::from_value::<Settings>(value.clone()).unwrap().eos_token_ids.is_empty());
        value["eos_token_id"] = "2".into();
        assert!(serde_json::from_value::<Settings>(value).is_err());
    }
}

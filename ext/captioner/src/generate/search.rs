use super::beam::BeamSearch;
use super::greedy::Greedy;
use super::step::Step;
use super::Settings;

/// The state of a search.
pub struct Search(Kind);

enum Kind {
    Greedy(Box<Greedy>),
    Beams(Box<BeamSearch>),
}

impl Search {
    /// A search for at most `max_new_tokens` tokens after the decoder's start token (0 if the settings have none).
    pub fn new(settings: Settings, max_new_tokens: usize) -> Self {
        let start = settings.decoder_start_token_id.unwrap_or(0);
        Self::with_context(settings, &[start], max_new_tokens)
    }

    /// A search for at most `max_new_tokens` tokens after `context`, a start token or a prompt, which is not empty. N-grams of the
    /// context count as said.
    pub fn with_context(settings: Settings, context: &[u32], max_new_tokens: usize) -> Self {
        Self(if settings.num_beams <= 1 {
            Kind::Greedy(Box::new(Greedy::new(settings, context, max_new_tokens)))
        } else {
            Kind::Beams(Box::new(BeamSearch::new(settings, context, max_new_tokens)))
        })
    }

    /// Running beams, each of which needs a row of logits in the next [`Search::advance`]. All are alike at first, so the
    /// first step needs one.
    pub fn beams(&self) -> usize {
        match &self.0 {
            Kind::Greedy(_) => 1,
            Kind::Beams(search) => search.beams(),
        }
    }

    /// The last token of each beam that needs logits.
    pub fn last_tokens(&self) -> Vec<u32> {
        match &self.0 {
            Kind::Greedy(search) => search.tokens().last().copied().into_iter().collect(),
            Kind::Beams(search) => search.last_tokens(),
        }
    }

    /// Tokens of the running sequences, the context included.
    pub fn length(&self) -> usize {
        match &self.0 {
            Kind::Greedy(search) => search.tokens().len(),
            Kind::Beams(search) => search.length(),
        }
    }

    /// Takes the logits of the next token, `[beams, vocabulary]`.
    pub fn advance(&mut self, logits: &[f32], vocabulary: usize) -> Step {
        match &mut self.0 {
            Kind::Greedy(search) => search.advance(&logits[..vocabulary]),
            Kind::Beams(search) => search.advance(logits, vocabulary),
        }
    }

    /// The best sequence, the context included. Before the end, the best running one.
    pub fn best(&self) -> &[u32] {
        match &self.0 {
            Kind::Greedy(search) => search.tokens(),
            Kind::Beams(search) => search.best(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::EarlyStopping;
    use super::*;

    pub fn settings(num_beams: usize, early_stopping: EarlyStopping) -> Settings {
        Settings { num_beams, early_stopping, ..Settings::greedy(vec![2]) }
    }

    /// Runs a search over a model whose logits depend on the last token alone.
    pub fn run(
        settings: Settings,
        context: &[u32],
        max_new_tokens: usize,
        model: impl Fn(u32) -> Vec<f32>,
    ) -> Vec<u32> {
        let mut search = Search::with_context(settings, context, max_new_tokens);
        loop {
            let logits: Vec<f32> = search.last_tokens().into_iter().flat_map(&model).collect();
            let vocabulary = logits.len() / search.beams();
            if search.advance(&logits, vocabulary) == Step::Done {
                return search.best().to_vec();
            }
        }
    }

    #[test]
    fn it_starts_with_one_row_and_the_start_token() {
        for num_beams in [1, 3] {
            let settings = Settings { decoder_start_token_id: Some(7), ..settings(num_beams, EarlyStopping::No) };
            let mut search = Search::new(settings, 5);
            assert_eq!((search.beams(), search.last_tokens(), search.length()), (1, vec![7], 1));
            let Step::Continue { parents } = search.advance(&[0.0, 1.0, -9.0, 0.5, 0.2], 5) else { panic!("goes on") };
            assert_eq!((parents, search.beams(), search.length()), (vec![0; num_beams], num_beams, 2));
            assert_eq!(search.best(), [7, 1]);
        }
    }
}

/// What follows a step.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Beam `i` continues what was beam `parents[i]`; [`super::Search::last_tokens`] says with what.
    Continue { parents: Vec<usize> },
    /// The search is over.
    Done,
}

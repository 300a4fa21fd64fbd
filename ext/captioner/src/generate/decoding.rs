use std::any::Any;

use candle_core::Tensor;

use crate::Result;

/// A decoder with one search's memory of what was seen and written. A beam is a row.
pub trait Decoding: Any + Send + Sync {
    /// The ids that stand before the first generated one: a decoder's start token, or a whole prompt. All but the last have
    /// been seen; the last is the first input.
    fn context(&self) -> &[u32];

    /// How many tokens can be generated before the positions run out.
    fn room(&self) -> usize;

    /// The number of token ids.
    fn vocabulary(&self) -> usize;

    /// Appends `tokens[i]` to beam `i` and gives the logits of what may follow, `[beams, vocabulary]`.
    fn step(&mut self, tokens: &[u32]) -> Result<Tensor>;

    /// [`Decoding::step`] of this search and of others, each with its own number of beams: the logits of each, this one's first.
    ///
    /// A family that can reads its weights once for all of them; the logits are those of each by itself, bit for bit.
    fn step_with(&mut self, tokens: &[u32], others: &mut [Turn]) -> Result<Vec<Tensor>> {
        each_by_itself(self, tokens, others)
    }

    /// Beam `i` becomes a continuation of what was beam `parents[i]`.
    fn reorder(&mut self, parents: &[usize]);
}

/// A search whose turn it is, and the last token of each of its beams.
pub struct Turn<'a> {
    pub decoding: &'a mut dyn Decoding,
    pub tokens: &'a [u32],
}

/// [`Decoding::step_with`], one search after the other.
pub fn each_by_itself<D: Decoding + ?Sized>(own: &mut D, tokens: &[u32], others: &mut [Turn]) -> Result<Vec<Tensor>> {
    let own = own.step(tokens);
    [own].into_iter().chain(others.iter_mut().map(|turn| turn.decoding.step(turn.tokens))).collect()
}

use candle_core::Tensor;

use crate::Result;

/// A decoder with one search's memory of what was seen and written. A beam is a row.
pub trait Decoding: Send + Sync {
    /// The ids that stand before the first generated one: a decoder's start token, or a whole prompt. All but the last have
    /// been seen; the last is the first input.
    fn context(&self) -> &[u32];

    /// How many tokens can be generated before the positions run out.
    fn room(&self) -> usize;

    /// The number of token ids.
    fn vocabulary(&self) -> usize;

    /// Appends `tokens[i]` to beam `i` and gives the logits of what may follow, `[beams, vocabulary]`.
    fn step(&mut self, tokens: &[u32]) -> Result<Tensor>;

    /// Beam `i` becomes a continuation of what was beam `parents[i]`.
    fn reorder(&mut self, parents: &[usize]);
}

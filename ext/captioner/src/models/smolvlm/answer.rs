//! What is left of generated text: the answer.

/// What some checkpoints append to an answer, and nobody asked for.
const ANALYSIS: &str = "### Analysis and Description:";

/// The answer in what was generated: without an appended analysis, without white space around it.
///
/// The application whose answers these replace cleans up prompt and answer together. The result is the same for an answer that
/// begins with a space and has something in it, as trained ones do; of the others the application keeps its own `Assistant:`, or
/// cuts off what comes before one in the answer.
pub fn clean_up(generated: &str) -> &str {
    let answer = generated.find(ANALYSIS).map_or(generated, |end| &generated[..end]);
    answer.trim_matches(is_space)
}

/// White space as Python's `str.strip` has it, which takes the four separators of ASCII along.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

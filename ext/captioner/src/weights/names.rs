use std::borrow::Cow;

/// How a checkpoint names its tensors. Models ask by canonical names, and for matrices that are `[out, in]`.
pub trait Names: Send + Sync {
    /// The checkpoint's name of a tensor.
    fn stored<'a>(&self, canonical: &'a str) -> Cow<'a, str>;

    /// Does the checkpoint store this matrix as `[in, out]`?
    fn is_transposed(&self, _canonical: &str) -> bool {
        false
    }
}

/// A checkpoint whose names are the canonical ones.
pub struct Canonical;

impl Names for Canonical {
    fn stored<'a>(&self, canonical: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(canonical)
    }
}

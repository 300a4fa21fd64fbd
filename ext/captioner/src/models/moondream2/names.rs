//! Names of tensors: as the published code has them, with or without the `model.` that transformers' wrapper puts in front.

use std::borrow::Cow;

use crate::weights::Names;

/// Which of the two a file has. The canonical names have no prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix(&'static str);

impl Prefix {
    /// The prefix of a set of names, or nothing if they are those of another model.
    pub fn detect(names: &[&str]) -> Option<Self> {
        let prefix = |own: &&str| names.contains(&format!("{own}vision.patch_emb.weight").as_str());
        ["model.", ""].into_iter().find(|own| prefix(own)).map(Self)
    }
}

impl Names for Prefix {
    fn stored<'a>(&self, canonical: &'a str) -> Cow<'a, str> {
        match self.0 {
            "" => Cow::Borrowed(canonical),
            prefix => Cow::Owned(format!("{prefix}{canonical}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_known_and_others_are_not() {
        let own = Prefix::detect(&["model.text.wte", "model.vision.patch_emb.weight"]).unwrap();
        assert_eq!(own.stored("text.wte"), "model.text.wte");
        let bare = Prefix::detect(&["vision.patch_emb.weight"]).unwrap();
        assert_eq!(bare.stored("text.wte"), "text.wte");
        assert_eq!(Prefix::detect(&["vision_encoder.encoder.model.visual.patch_embed.linear.weight"]), None);
    }
}

//! The checkpoints that this version is made for, by commit and by content.

use super::{FileSpec, Source};

/// The commit of microsoft/Florence-2-base that is fetched: the first one with safetensors.
pub const FLORENCE2_BASE_REVISION: &str = "5ca5edf5bd017b9919c05d08aebef5e4c7ac3bac";
/// The commit of microsoft/Florence-2-large that is fetched.
pub const FLORENCE2_LARGE_REVISION: &str = "21a599d414c4d928c9032694c424fb94458e3594";

const BASE_SHA256: &str = "03075d2d2d2bbd3e180b9ba0afae4aa8563226e2d32911656966e05b2f2ee060";
const LARGE_SHA256: &str = "4f38ce741c6b71188fe2b3419a55e11917a8a7b321ae2e63c61da0191b0ebad7";
const LARGE_SIZE: u64 = 1_553_563_458;

/// microsoft/Florence-2-base at [`FLORENCE2_BASE_REVISION`]. The length of its weights is not pinned: the hub states
/// it, and their sha256 is checked.
pub fn florence2_base() -> Source {
    florence2("microsoft/Florence-2-base", FLORENCE2_BASE_REVISION).pinned("model.safetensors", None, BASE_SHA256)
}

/// microsoft/Florence-2-large at [`FLORENCE2_LARGE_REVISION`].
pub fn florence2_large() -> Source {
    florence2("microsoft/Florence-2-large", FLORENCE2_LARGE_REVISION).pinned(
        "model.safetensors",
        Some(LARGE_SIZE),
        LARGE_SHA256,
    )
}

/// Any Florence-2 of the hub, a fine-tune for instance: the files that a caption needs, small ones first, so that a
/// wrong name fails before the weights are fetched. Nothing is pinned but what `revision` pins.
pub fn florence2(repo_id: &str, revision: &str) -> Source {
    Source {
        repo_id: repo_id.to_owned(),
        revision: revision.to_owned(),
        files: vec![
            FileSpec::required("config.json"),
            FileSpec::required("preprocessor_config.json"),
            FileSpec::required("tokenizer.json"),
            FileSpec::optional("tokenizer_config.json"),
            FileSpec::optional("generation_config.json"),
            FileSpec::required("model.safetensors"),
        ],
    }
}

impl Source {
    fn pinned(mut self, name: &str, size: Option<u64>, sha256: &str) -> Self {
        for file in self.files.iter_mut().filter(|file| file.name == name) {
            file.size = size;
            file.sha256 = Some(sha256.to_owned());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_commits_and_hashes() {
        for source in [florence2_base(), florence2_large()] {
            assert!(super::super::layout::is_commit(&source.revision));
            let weights = source.files.iter().find(|file| file.name == "model.safetensors").unwrap();
            let sha256 = weights.sha256.as_deref().unwrap();
            assert!(sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }
}

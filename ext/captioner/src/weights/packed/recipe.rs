//! Recipes: which tensor is stored in which form.

use crate::quant::{Codebook, Scheme};
use crate::weights::TOKEN_EMBEDDINGS;
use crate::{Error, Result};

/// How a matrix is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As the checkpoint has it.
    Kept,
    /// 4-bit blocks.
    Blocks(Scheme),
    /// int8 with an f16 scale for each row.
    Int8,
}

/// What a tensor is for, as far as recipes care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The token table, which is the output layer too.
    Embedding,
    /// A patch convolution.
    Convolution,
    /// Any other matrix: linears, position tables, the projection.
    Linear,
    /// Norms, biases, depthwise kernels.
    Small,
}

impl Role {
    /// The role of the matrix `name` (in Microsoft's layout) of `shape`.
    pub fn of(name: &str, shape: &[usize]) -> Self {
        match shape {
            _ if TOKEN_EMBEDDINGS.contains(&name) => Role::Embedding,
            [_, _, _, _] => Role::Convolution,
            _ => Role::Linear,
        }
    }
}

/// A named choice of forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    pub name: String,
    pub embedding: Form,
    pub convolution: Form,
    pub linear: Form,
}

impl Recipe {
    /// Every matrix in NF4, blocksize 64, double quantization.
    pub fn compact() -> Self {
        let nf4 = Form::Blocks(Scheme::NF4);
        Self { name: "compact".into(), embedding: nf4, convolution: nf4, linear: nf4 }
    }

    /// The token table in int8 and patch convolutions as they are; the rest as in `compact`.
    pub fn balanced() -> Self {
        Self { name: "balanced".into(), embedding: Form::Int8, convolution: Form::Kept, ..Self::compact() }
    }

    /// What bitsandbytes quantized stays as it is, and so does the rest. Not to be chosen: a checkpoint has it or not.
    pub fn linears() -> Self {
        Self { name: "linears".into(), embedding: Form::Kept, convolution: Form::Kept, linear: Form::Kept }
    }

    /// The recipe of a name.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown one.
    pub fn named(name: &str) -> Result<Self> {
        [Self::compact(), Self::balanced()]
            .into_iter()
            .find(|recipe| recipe.name == name)
            .ok_or_else(|| Error::InvalidArgument(format!("unknown recipe {name:?}; compact or balanced")))
    }

    /// The form of a tensor.
    pub fn form(&self, role: Role) -> Form {
        match role {
            Role::Embedding => self.embedding,
            Role::Convolution => self.convolution,
            Role::Linear => self.linear,
            Role::Small => Form::Kept,
        }
    }
}

/// A scheme as text: `nf4-64-double`, `int4-128-plain`.
pub(super) fn format_scheme(scheme: Scheme) -> String {
    let scales = if scheme.double_quant() { "double" } else { "plain" };
    format!("{}-{}-{scales}", scheme.code().name(), scheme.blocksize())
}

/// The scheme that [`format_scheme`] wrote.
pub(super) fn parse_scheme(text: &str) -> Result<Scheme> {
    let unknown = || Error::CorruptModel(format!("unknown scheme {text:?}"));
    let [code, blocksize, scales] = text.split('-').collect::<Vec<_>>().try_into().map_err(|_| unknown())?;
    let code = Codebook::from_name(code).ok_or_else(unknown)?;
    Scheme::new(code, blocksize.parse().map_err(|_| unknown())?, scales == "double")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_survive_their_text() {
        for code in [Codebook::Nf4, Codebook::Fp4, Codebook::Int4] {
            for (blocksize, double) in [(32, false), (64, true), (128, true)] {
                let scheme = Scheme::new(code, blocksize, double).unwrap();
                assert_eq!(parse_scheme(&format_scheme(scheme)).unwrap(), scheme);
            }
        }
        assert!(parse_scheme("nf4-64").is_err());
    }

    #[test]
    fn a_patch_convolution_is_one_by_its_shape() {
        assert_eq!(Role::of("vision_tower.convs.0.proj.weight", &[128, 3, 7, 7]), Role::Convolution);
        assert_eq!(Role::of("image_projection", &[768, 1024]), Role::Linear);
        assert_eq!(Role::of("language_model.lm_head.weight", &[51289, 768]), Role::Embedding);
        assert_eq!(Recipe::balanced().form(Role::Convolution), Form::Kept);
        assert!(matches!(Recipe::compact().form(Role::Embedding), Form::Blocks(_)));
    }
}

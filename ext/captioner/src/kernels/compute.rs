//! In which arithmetic a product with a weight is computed.

use std::str::FromStr;

use crate::Error;

/// How exactly products are computed. Everything between two products is `f32` in every mode, but that a decoder remembers the
/// encoder's keys and values in f16 unless its weights are exact. Attention follows the weights around it: where they are not
/// multiplied in `f32`, its products of many rows are in bf16, if the processor multiplies that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compute {
    /// Weights in 4 or 8 bits are multiplied in int8, with activations rounded to int8 too; others as in `Exact`.
    #[default]
    Fast,
    /// Weights and activations are rounded to bf16, sums are `f32`.
    Bf16,
    /// Weights are widened to `f32`.
    Exact,
}

impl Compute {
    /// Every mode, the fastest first.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Bf16, Self::Exact];

    /// `fast`, `bf16` or `exact`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Bf16 => "bf16",
            Self::Exact => "exact",
        }
    }
}

impl FromStr for Compute {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.name() == name)
            .ok_or_else(|| Error::InvalidArgument(format!("unknown compute mode {name:?}; fast, bf16 or exact")))
    }
}

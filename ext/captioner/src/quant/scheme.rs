//! How a tensor is cut into blocks, and what that costs.

use super::Codebook;
use crate::error::{Error, Result};

/// Scales per block of the second quantization. bitsandbytes knows no other value.
pub const NESTED_BLOCKSIZE: usize = 256;

/// One way of storing a tensor in 4-bit blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scheme {
    code: Codebook,
    blocksize: usize,
    double_quant: bool,
}

impl Scheme {
    /// What QLoRA and transformers use, and this project's default: NF4, blocks of 64, quantized scales.
    pub const NF4: Scheme = Scheme { code: Codebook::Nf4, blocksize: 64, double_quant: true };

    /// # Errors
    /// `InvalidArgument` unless `blocksize` is a power of two from 32 to 4096.
    pub fn new(code: Codebook, blocksize: usize, double_quant: bool) -> Result<Self> {
        if !blocksize.is_power_of_two() || !(32..=4096).contains(&blocksize) {
            return Err(Error::InvalidArgument(format!("blocksize {blocksize} is not a power of two from 32 to 4096")));
        }
        Ok(Scheme { code, blocksize, double_quant })
    }

    pub fn code(self) -> Codebook {
        self.code
    }

    /// Values per block.
    pub fn blocksize(self) -> usize {
        self.blocksize
    }

    /// Whether the scales are quantized to 8 bits in their turn.
    pub fn double_quant(self) -> bool {
        self.double_quant
    }

    /// Blocks of a tensor of `len` values; the last may be short.
    pub fn blocks(self, len: usize) -> usize {
        len.div_ceil(self.blocksize)
    }

    /// Bytes of codes of a tensor of `len` values.
    pub fn code_bytes(self, len: usize) -> usize {
        len.div_ceil(2)
    }

    /// Bytes of a tensor of `len` values: codes and scales, without the fixed 256-entry map that all tensors share.
    pub fn bytes(self, len: usize) -> usize {
        let blocks = self.blocks(len);
        let scales = match self.double_quant {
            true => blocks + 4 * blocks.div_ceil(NESTED_BLOCKSIZE) + 4,
            false => 4 * blocks,
        };
        self.code_bytes(len) + scales
    }

    /// Bits that one weight of a tensor of `len` values costs, scales included: 4.127 for [`Scheme::NF4`].
    pub fn bits_per_weight(self, len: usize) -> f64 {
        self.bytes(len) as f64 * 8.0 / len as f64
    }
}

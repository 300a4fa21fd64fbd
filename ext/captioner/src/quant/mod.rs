//! Codecs for weights: 4-bit blocks over sixteen-entry code tables ([`Quantized`]) and int8 rows ([`Int8Rows`]).
//!
//! A 4-bit tensor is its row-major values cut into blocks of `blocksize`, whatever its shape: a block may cross
//! a row's end, and the last one may be short. Each block stores its largest magnitude (its scale) and one nibble
//! per value, the index of the nearest code-table entry to `value / scale`:
//!
//! ```text
//! codes   [ceil(len / 2)] bytes   byte i = code of value 2i (high nibble), code of value 2i + 1 (low nibble)
//! scales  [blocks] f32                                       plain
//!         [blocks] u8, [ceil(blocks / 256)] f32, one f32     double quantization
//! ```
//!
//! Double quantization stores a scale as `map[q] * absmax2[block / 256] + offset`, where `offset` is the mean scale
//! and `map` the dynamic 8-bit table of [`dynamic`].
//!
//! The scheme is QLoRA's (arXiv 2305.14314, sections 3 and 4). The arithmetic follows bitsandbytes 0.50 on a CPU to the
//! last bit, so that a tensor packed here and one packed there are the same: `functional.py` (tables),
//! `backends/default/ops.py` (4-bit codes) and `csrc/cpu_ops.cpp` (8-bit scales, decoding). There are two places where
//! bitsandbytes does not agree with itself. Its mean of 32768 scales or more depends on PyTorch's threads; here it is that
//! of one thread. And where a row is not made of whole blocks its AVX-512 decoder takes scales of other blocks; here, as in
//! its generic decoder, a value's scale is its block's.
//!
//! Decoding has one implementation, on the borrowed [`QuantizedRef`], so memory from this process, from a mapped
//! file and from an imported checkpoint reads alike.

mod codebook;
mod decode;
pub mod dynamic;
mod encode;
mod fit;
mod int8;
mod nearest;
mod numbers;
mod scheme;
mod sum;
mod tensor;

pub use codebook::Codebook;
pub use encode::{quantize, quantize_with};
pub use fit::Fit;
pub use int8::{quantize_rows, Int8Rows, Int8RowsRef, RowScale};
pub use numbers::{FloatType, Floats, Numbers};
pub use scheme::{Scheme, NESTED_BLOCKSIZE};
pub use sum::cascade_sum;
pub use tensor::{Quantized, QuantizedRef, Scales, ScalesRef};

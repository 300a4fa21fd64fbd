//! What the kernels of an instruction set get: some features of a weight, and the rows.

use super::rounded::Rounded;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::rounded::BLOCK;

/// Features in 4-bit blocks.
pub struct BlockGroup<'a> {
    /// The bytes of each feature's row.
    pub nibbles: &'a [u8],
    pub bytes: usize,
    /// A scale for each 64 values of each feature, `[count, blocks]`, and sixteen more that are not used.
    pub scales: &'a [f32],
    pub blocks: usize,
    pub table: &'a [u8; 16],
    pub x: &'a Rounded,
    pub count: usize,
}

/// Features in int8.
pub struct ByteGroup<'a> {
    /// `[count, cols]`
    pub codes: &'a [u8],
    pub cols: usize,
    pub x: &'a Rounded,
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub count: usize,
}

/// Features in floating-point numbers.
pub struct FloatGroup<'a> {
    /// `[count, cols]` numbers.
    pub bytes: &'a [u8],
    pub cols: usize,
    /// `[rows, cols]`
    pub x: &'a [f32],
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub count: usize,
}

/// A whole block of a row's codes: the last one, which may be shorter, is copied to `room`, which holds zeros.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
pub fn whole_block<'a>(codes: &'a [u8], room: &'a mut [u8; BLOCK]) -> &'a [u8] {
    if codes.len() == BLOCK {
        return codes;
    }
    room[..codes.len()].copy_from_slice(codes);
    room
}

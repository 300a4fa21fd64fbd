//! Rows of a weight as unsigned bytes: `value = (code - 128) * scale`, with one scale for the whole row.
//!
//! A 4-bit weight has a scale for each block. Each block's code table is scaled by the block's share of the row's largest
//! scale while it is rounded to bytes, so that sums can run over a whole row in integers.

use crate::kernels::isa::Isa;
use crate::kernels::matrix::{Matrix, Storage};
use crate::quant::{Floats, QuantizedRef};

use super::rows::round_row;

/// The byte that stands for zero.
pub const ZERO: u8 = 128;

/// A source of rows.
pub struct Codes<'a> {
    isa: Isa,
    weight: &'a Matrix,
    /// 4-bit blocks of which each row has a whole number.
    blocks: Option<QuantizedRef<'a>>,
    values: Vec<f32>,
}

impl<'a> Codes<'a> {
    /// The rows of `weight`.
    pub fn new(isa: Isa, weight: &'a Matrix) -> Self {
        let whole = |blocks: &QuantizedRef| weight.cols().is_multiple_of(blocks.scheme().blocksize());
        Self { isa, weight, blocks: weight.blocks().ok().filter(whole), values: Vec::new() }
    }

    /// Writes row `row` to `out` and gives its scale.
    pub fn read(&mut self, row: usize, out: &mut [u8]) -> f32 {
        let cols = self.weight.cols();
        if let Some(blocks) = self.blocks {
            return self.read_blocks(blocks, row, out);
        }
        if let Storage::Int8 { codes, scales: (kind, scales) } = self.weight.storage() {
            let codes = &codes.as_slice()[row * cols..(row + 1) * cols];
            out.iter_mut().zip(codes).for_each(|(out, code)| *out = code ^ ZERO);
            return Floats::Bytes(*kind, scales.as_slice()).get(row) / 127.0;
        }
        // Whatever else there is (blocks that straddle rows, floating-point numbers) is rounded from its values.
        self.values.resize(cols, 0.0);
        self.weight.dequantize_rows(row..row + 1, &mut self.values);
        // SAFETY: u8 and i8 have the same size, alignment and valid bit patterns.
        let signed = unsafe { std::slice::from_raw_parts_mut(out.as_mut_ptr().cast::<i8>(), out.len()) };
        let (scale, _) = round_row(self.isa, &self.values, signed);
        out.iter_mut().for_each(|code| *code ^= ZERO);
        scale
    }

    fn read_blocks(&mut self, blocks: QuantizedRef, row: usize, out: &mut [u8]) -> f32 {
        let size = blocks.scheme().blocksize();
        let count = out.len() / size;
        let scales = &mut self.values;
        scales.clear();
        scales.extend((row * count..(row + 1) * count).map(|block| blocks.scale(block)));
        let largest = scales.iter().fold(0f32, |largest, scale| scale.abs().max(largest));
        let factor = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let nibbles = &blocks.codes()[row * out.len() / 2..];
        let (values, isa) = (blocks.scheme().code().values(), self.isa);
        for ((scale, nibbles), out) in scales.iter().zip(nibbles.chunks(size / 2)).zip(out.chunks_exact_mut(size)) {
            match isa {
                // SAFETY: the set is only chosen where the processor has it; a block has half as many bytes as codes.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 | Isa::Avx512Bf16 if size.is_multiple_of(64) => unsafe {
                    avx512(values, scale * factor, nibbles, out)
                },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 | Isa::Avx2Vnni if size.is_multiple_of(64) => unsafe {
                    avx2(values, scale * factor, nibbles, out)
                },
                // SAFETY: as above.
                #[cfg(target_arch = "aarch64")]
                Isa::Neon | Isa::NeonDot | Isa::NeonI8mm if size.is_multiple_of(64) => unsafe {
                    neon(values, scale * factor, nibbles, out)
                },
                _ => portable(values, scale * factor, nibbles, out),
            }
        }
        largest / 127.0
    }
}

/// The table's sixteen values times `factor` (at most 127), looked up for each nibble; the high one comes first.
fn portable(values: &[f32; 16], factor: f32, nibbles: &[u8], out: &mut [u8]) {
    let table = table(values, factor);
    for (pair, byte) in out.chunks_exact_mut(2).zip(nibbles) {
        pair[0] = table[usize::from(byte >> 4)];
        pair[1] = table[usize::from(byte & 15)];
    }
}

/// The byte of each code.
#[inline]
fn table(values: &[f32; 16], factor: f32) -> [u8; 16] {
    // Adding and taking off 1.5 * 2^23 rounds to the nearest integer, ties to even, as the vector instructions do.
    values.map(|v| ((v * factor + 12_582_912.0) - 12_582_912.0) as i8 as u8 ^ ZERO)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(values: &[f32; 16], factor: f32, nibbles: &[u8], out: &mut [u8]) {
    use std::arch::x86_64::*;
    let table = _mm_loadu_si128(table(values, factor).as_ptr().cast());
    let nibble = _mm_set1_epi8(15);
    for at in (0..out.len()).step_by(32) {
        let bytes = _mm_loadu_si128(nibbles.as_ptr().add(at / 2).cast());
        let high = _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16::<4>(bytes), nibble));
        let low = _mm_shuffle_epi8(table, _mm_and_si128(bytes, nibble));
        let out = out.as_mut_ptr().add(at).cast::<__m128i>();
        _mm_storeu_si128(out, _mm_unpacklo_epi8(high, low));
        _mm_storeu_si128(out.add(1), _mm_unpackhi_epi8(high, low));
    }
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
unsafe fn neon(values: &[f32; 16], factor: f32, nibbles: &[u8], out: &mut [u8]) {
    use std::arch::aarch64::*;
    let table = vld1q_u8(table(values, factor).as_ptr());
    for at in (0..out.len()).step_by(32) {
        let bytes = vld1q_u8(nibbles.as_ptr().add(at / 2));
        let high = vqtbl1q_u8(table, vshrq_n_u8::<4>(bytes));
        let low = vqtbl1q_u8(table, vandq_u8(bytes, vdupq_n_u8(15)));
        vst2q_u8(out.as_mut_ptr().add(at), uint8x16x2_t(high, low));
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn avx512(values: &[f32; 16], factor: f32, nibbles: &[u8], out: &mut [u8]) {
    use std::arch::x86_64::*;
    let table = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(values.as_ptr()), _mm512_set1_ps(factor)));
    let table = _mm_xor_si128(_mm512_cvtepi32_epi8(table), _mm_set1_epi8(ZERO as i8));
    let table = _mm512_broadcast_i32x4(table);
    for at in (0..out.len()).step_by(64) {
        let bytes = _mm512_cvtepu8_epi16(_mm256_loadu_si256(nibbles.as_ptr().add(at / 2).cast()));
        // Each 16-bit lane [0, high low] becomes [low, high]: the byte in front is the even value.
        let low = _mm512_and_si512(_mm512_slli_epi16::<8>(bytes), _mm512_set1_epi16(0x0F00));
        let index = _mm512_or_si512(_mm512_srli_epi16::<4>(bytes), low);
        _mm512_storeu_si512(out.as_mut_ptr().add(at).cast(), _mm512_shuffle_epi8(table, index));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::{int8, nf4, values};
    use crate::kernels::Buffer;
    use crate::quant::FloatType;

    fn floats(rows: usize, cols: usize) -> Matrix {
        let bytes = values(rows * cols, 5).iter().flat_map(|v| v.to_le_bytes()).collect();
        Matrix::new(rows, cols, Storage::Float(FloatType::F32, Buffer::owned(bytes))).unwrap()
    }

    #[test]
    fn codes_are_the_nearest_to_the_stored_values() {
        let weights = [nf4(5, 192, 64), nf4(4, 128, 32), nf4(3, 147, 64), nf4(2, 128, 128), int8(4, 37), floats(3, 65)];
        for weight in &weights {
            let (rows, cols) = (weight.rows(), weight.cols());
            let exact = weight.to_vec();
            let mut twin = vec![0; cols];
            for isa in Isa::available() {
                let mut codes = vec![0; cols];
                for row in 0..rows {
                    let scale = Codes::new(isa, weight).read(row, &mut codes);
                    for (code, value) in codes.iter().zip(&exact[row * cols..]) {
                        let error = (f32::from(*code) - f32::from(ZERO)) * scale - value;
                        assert!(error.abs() <= 0.51 * scale, "{rows}x{cols}, {isa:?}: {error} of {scale}");
                    }
                    assert_eq!(Codes::new(Isa::Portable, weight).read(row, &mut twin), scale);
                    assert_eq!(codes, twin);
                }
            }
        }
    }
}

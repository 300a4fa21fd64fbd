//! Int8 rows: each row of a matrix has its largest magnitude as scale, and its values are `code * scale / 127`.
//!
//! The convention of LLM.int8 (arXiv 2208.07339; `int8_vectorwise_quant` in bitsandbytes' `backends/default/ops.py`), whose
//! files call the scales SCB. There weights are rounded to f16 first, so with [`RowScale::F16`] they are here too: codes and
//! scales are the same to the last bit, whatever type a checkpoint has. Rows of zeros, for which it divides by zero, stay zeros.

use std::ops::Range;

use half::f16;
use rayon::prelude::*;

use super::{Floats, Numbers};
use crate::error::{Error, Result};

/// 1 / 127 as bitsandbytes writes it.
const INVERSE_127: f32 = 7.874_016e-3;

/// How a row's scale is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowScale {
    /// The largest magnitude of the values as they are.
    F32,
    /// The largest magnitude of the values rounded to f16, which are what is quantized.
    F16,
}

#[derive(Debug, Clone, PartialEq)]
enum RowScales {
    F32(Vec<f32>),
    F16(Vec<f16>),
}

/// A `[rows, cols]` matrix of int8 with one scale per row.
#[derive(Debug, Clone, PartialEq)]
pub struct Int8Rows {
    rows: usize,
    cols: usize,
    codes: Vec<i8>,
    scales: RowScales,
}

/// A borrowed `[rows, cols]` matrix of int8 with one scale per row.
#[derive(Debug, Clone, Copy)]
pub struct Int8RowsRef<'a> {
    rows: usize,
    cols: usize,
    codes: &'a [i8],
    scales: Floats<'a>,
}

/// Quantizes a row-major `[rows, cols]` matrix, `cols` from the length. Runs in the caller's rayon pool; the result does not
/// depend on its size.
///
/// # Errors
/// `InvalidArgument` if `rows` does not divide the length, `CorruptModel` if a value is NaN or infinite or a row's largest
/// magnitude does not fit the scale's type; the message names the row, not the tensor.
pub fn quantize_rows<'a>(source: impl Into<Numbers<'a>>, rows: usize, scale: RowScale) -> Result<Int8Rows> {
    let source = source.into();
    let cols = source.len().checked_div(rows).unwrap_or(0);
    if rows * cols != source.len() {
        return Err(Error::InvalidArgument(format!("{} values do not make {rows} rows", source.len())));
    }
    let mut codes = vec![0i8; source.len()];
    let mut scales = vec![0f32; rows];
    codes.par_chunks_mut(cols.max(1)).zip(&mut scales).enumerate().try_for_each(|(row, (codes, absmax))| {
        *absmax = encode_row(&source, row, scale, codes)?;
        Ok::<(), Error>(())
    })?;
    let scales = match scale {
        RowScale::F32 => RowScales::F32(scales),
        RowScale::F16 => RowScales::F16(scales.into_iter().map(f16::from_f32).collect()),
    };
    Ok(Int8Rows { rows, cols, codes, scales })
}

fn encode_row(source: &Numbers, row: usize, scale: RowScale, codes: &mut [i8]) -> Result<f32> {
    let mut values = vec![0f32; codes.len()];
    source.read(row * codes.len(), &mut values);
    if scale == RowScale::F16 {
        values.iter_mut().for_each(|value| *value = f16::from_f32(*value).to_f32());
    }
    // Bits instead of numbers, so that a NaN is the largest and cannot hide.
    let bits = values.iter().fold(0u32, |max, value| max.max(value.to_bits() & 0x7fff_ffff));
    let absmax = f32::from_bits(bits);
    if !absmax.is_finite() {
        return Err(Error::CorruptModel(format!("row {row} holds {absmax}, as {scale:?}: it cannot be quantized")));
    }
    // A row of zeros would divide by zero; its codes are zero already.
    if absmax > 0.0 {
        // PyTorch divides a number by a tensor so, with two roundings.
        let factor = 1.0 / absmax * 127.0;
        for (code, value) in codes.iter_mut().zip(&values) {
            *code = round_half_even(value * factor).clamp(-127.0, 127.0) as i8;
        }
    }
    Ok(absmax)
}

/// Rounds a small number to the nearest integer, ties to even: beyond 2^23 an f32 has no fraction left, and unlike the
/// standard library's function this vectorizes on every processor.
#[inline]
fn round_half_even(value: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (value + SHIFT) - SHIFT
}

impl Int8Rows {
    /// The borrowed form, which does the reading.
    pub fn view(&self) -> Int8RowsRef<'_> {
        let scales = match &self.scales {
            RowScales::F32(scales) => Floats::F32(scales),
            RowScales::F16(scales) => Floats::F16(scales),
        };
        Int8RowsRef { rows: self.rows, cols: self.cols, codes: &self.codes, scales }
    }

    /// See [`Int8RowsRef::dequantize`].
    pub fn dequantize(&self, range: Range<usize>, out: &mut [f32]) {
        self.view().dequantize(range, out);
    }
}

impl<'a> Int8RowsRef<'a> {
    /// # Errors
    /// `CorruptModel` if the number of codes or of scales does not fit the shape; the message does not name the tensor.
    pub fn new(rows: usize, cols: usize, codes: &'a [i8], scales: Floats<'a>) -> Result<Self> {
        if rows.checked_mul(cols) != Some(codes.len()) || scales.len() != rows {
            return Err(Error::CorruptModel(format!(
                "{} int8 codes and {} scales for a matrix of {rows} x {cols}",
                codes.len(),
                scales.len()
            )));
        }
        Ok(Int8RowsRef { rows, cols, codes, scales })
    }

    /// The same over the bytes of a file.
    ///
    /// # Errors
    /// See [`Int8RowsRef::new`].
    pub fn from_bytes(rows: usize, cols: usize, codes: &'a [u8], scales: Floats<'a>) -> Result<Self> {
        // SAFETY: i8 and u8 have the same size, alignment and valid bit patterns.
        let codes = unsafe { std::slice::from_raw_parts(codes.as_ptr().cast(), codes.len()) };
        Self::new(rows, cols, codes, scales)
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Row-major.
    pub fn codes(&self) -> &'a [i8] {
        self.codes
    }

    /// The same as the bytes of a file.
    pub fn code_bytes(&self) -> &'a [u8] {
        // SAFETY: i8 and u8 have the same size, alignment and valid bit patterns.
        unsafe { std::slice::from_raw_parts(self.codes.as_ptr().cast(), self.codes.len()) }
    }

    pub fn scales(&self) -> Floats<'a> {
        self.scales
    }

    /// The largest magnitude of a row: a code of 127 stands for it.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn scale(&self, row: usize) -> f32 {
        self.scales.get(row)
    }

    /// Writes the values of elements `range` of the row-major matrix to `out`, on the calling thread.
    ///
    /// # Panics
    /// If `range` leaves the matrix or `out` has another length.
    pub fn dequantize(&self, range: Range<usize>, out: &mut [f32]) {
        assert_eq!(range.len(), out.len(), "an output of another length than the range");
        let codes = &self.codes[range.clone()];
        let (mut start, mut done) = (range.start, 0);
        while done < out.len() {
            let row = start / self.cols;
            let count = ((row + 1) * self.cols - start).min(out.len() - done);
            let scale = self.scale(row);
            for (value, code) in out[done..done + count].iter_mut().zip(&codes[done..]) {
                *value = f32::from(*code) * scale * INVERSE_127;
            }
            (start, done) = (start + count, done + count);
        }
    }

    /// Bits that one weight costs, scales included.
    pub fn bits_per_weight(&self) -> f64 {
        let scale_bits = match self.scales {
            Floats::F32(_) => 32.0,
            Floats::F16(_) => 16.0,
            Floats::Bytes(kind, _) => 8.0 * kind.size() as f64,
        };
        8.0 + scale_bits / self.cols as f64
    }
}

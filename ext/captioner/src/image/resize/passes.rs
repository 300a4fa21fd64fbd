//! The two passes. The inner loop sums [`LANES`] neighbouring bytes at once with the same coefficients, which the
//! compiler turns into vector instructions; the horizontal pass gets there by transposing blocks of sixteen rows.

use multiversion::multiversion;

use super::super::memory::{self, OutOfMemory};
use super::{Taps, PRECISION_BITS};

/// Rows that the horizontal pass takes together.
const ROWS: usize = 16;
/// Bytes that one call of [`sum`] works on: one pixel column of a block of rows.
const LANES: usize = ROWS * 3;
/// Widest row for which a transposed block (a megabyte each 20,000 pixels) is worth its memory.
const WIDEST: usize = 1 << 18;

fn clip(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// The weighted sum of `LANES` bytes: tap `i` reads at `i * stride`. Pillow's `int` sums wrap the same way.
#[inline(always)]
fn sum(source: &[u8], stride: usize, taps: &[i32]) -> [u8; LANES] {
    let mut sums = [1i32 << (PRECISION_BITS - 1); LANES];
    for (i, &tap) in taps.iter().enumerate() {
        let bytes: &[u8; LANES] = source[i * stride..][..LANES].try_into().unwrap_or(&[0; LANES]);
        for (sum, &byte) in sums.iter_mut().zip(bytes) {
            *sum = sum.wrapping_add(i32::from(byte).wrapping_mul(tap));
        }
    }
    sums.map(clip)
}

/// One weighted sum of bytes that lie `stride` apart.
fn sum_one(source: &[u8], stride: usize, taps: &[i32]) -> u8 {
    let mut sum = 1i32 << (PRECISION_BITS - 1);
    for (&tap, &byte) in taps.iter().zip(source.iter().step_by(stride)) {
        sum = sum.wrapping_add(i32::from(byte).wrapping_mul(tap));
    }
    clip(sum)
}

/// Resizes the rows from `from` pixels to `to`.
pub(super) fn horizontal(
    data: &[u8],
    from: usize,
    rows: usize,
    to: usize,
    mut taps: Taps,
) -> Result<Vec<u8>, OutOfMemory> {
    let mut out = memory::filled(0, to * rows * 3)?;
    let blocks = if from <= WIDEST && to <= WIDEST { rows / ROWS } else { 0 };
    if blocks > 0 {
        let (mut all, mut spans) = (Vec::new(), memory::room(to)?);
        for x in 0..to {
            let (start, fixed) = taps.at(x)?;
            let first = all.len();
            all.extend_from_slice(fixed);
            spans.push((start, first, all.len()));
        }
        let block = Block { from, to, spans: &spans, taps: &all };
        let mut columns = memory::filled(0, from * LANES)?;
        let sources = data.chunks_exact(from * 3 * ROWS);
        for (source, target) in sources.zip(out.chunks_exact_mut(to * 3 * ROWS)) {
            block.run(source, &mut columns, target);
        }
    }
    let done = blocks * ROWS;
    if done < rows {
        for x in 0..to {
            let (start, fixed) = taps.at(x)?;
            for y in done..rows {
                for channel in 0..3 {
                    let source = &data[(y * from + start) * 3 + channel..];
                    out[(y * to + x) * 3 + channel] = sum_one(source, 3, fixed);
                }
            }
        }
    }
    Ok(out)
}

/// What every block of rows shares: for each output column the first input column and the range of its coefficients.
struct Block<'a> {
    from: usize,
    to: usize,
    spans: &'a [(usize, usize, usize)],
    taps: &'a [i32],
}

impl Block<'_> {
    /// `columns` is room for the transposed block.
    fn run(&self, source: &[u8], columns: &mut [u8], target: &mut [u8]) {
        for (y, row) in source.chunks_exact(self.from * 3).enumerate() {
            for (pixel, column) in row.chunks_exact(3).zip(columns.chunks_exact_mut(LANES)) {
                column[y * 3..y * 3 + 3].copy_from_slice(pixel);
            }
        }
        for_columns(columns, self.spans, self.taps, |x, sums| {
            for (y, pixel) in sums.chunks_exact(3).enumerate() {
                target[(y * self.to + x) * 3..][..3].copy_from_slice(pixel);
            }
        });
    }
}

/// Every output column of a transposed block.
#[multiversion(targets("x86_64+avx2"))]
fn for_columns(
    columns: &[u8],
    spans: &[(usize, usize, usize)],
    taps: &[i32],
    mut put: impl FnMut(usize, &[u8; LANES]),
) {
    for (x, &(start, first, last)) in spans.iter().enumerate() {
        put(x, &sum(&columns[start * LANES..], LANES, &taps[first..last]));
    }
}

/// Resizes the columns of an image `width` pixels wide to `to` rows.
pub(super) fn vertical(data: &[u8], width: usize, to: usize, mut taps: Taps) -> Result<Vec<u8>, OutOfMemory> {
    let stride = width * 3;
    let mut out = memory::filled(0, stride * to)?;
    for (y, target) in out.chunks_exact_mut(stride).enumerate() {
        let (start, fixed) = taps.at(y)?;
        row(&data[start * stride..], stride, fixed, target);
    }
    Ok(out)
}

/// One output row.
#[multiversion(targets("x86_64+avx2"))]
fn row(source: &[u8], stride: usize, taps: &[i32], target: &mut [u8]) {
    let mut x = 0;
    while x + LANES <= stride {
        target[x..x + LANES].copy_from_slice(&sum(&source[x..], stride, taps));
        x += LANES;
    }
    for (x, byte) in target.iter_mut().enumerate().skip(x) {
        *byte = sum_one(&source[x..], stride, taps);
    }
}

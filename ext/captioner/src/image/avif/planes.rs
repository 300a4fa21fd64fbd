//! Decoded samples: luma, and chroma that may have fewer columns and rows.

use super::super::memory::{self, OutOfMemory};

/// Bytes at whose multiples the decoder wants planes to begin.
const ALIGNMENT: usize = 64;

/// Columns and rows in a sample of chroma, as shifts; None where there is no chroma.
pub(super) type Subsampling = Option<(u32, u32)>;

/// One to three planes in one buffer.
pub(super) struct Planes {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Bits of a sample: 8, 10 or 12. Samples of more than 8 bits take two bytes, in the machine's order.
    pub(super) depth: u32,
    pub(super) subsampling: Subsampling,
    buffer: Vec<u8>,
    starts: [usize; 3],
    strides: [usize; 3],
}

impl Planes {
    /// Planes of zeros. Rows and columns are there up to the next multiple of 128, as the decoder wants them.
    pub(super) fn new(
        (width, height): (usize, usize),
        depth: u32,
        subsampling: Subsampling,
    ) -> Result<Self, OutOfMemory> {
        let bytes = if depth > 8 { 2 } else { 1 };
        let (columns, rows) = (width.next_multiple_of(128), height.next_multiple_of(128));
        let mut sizes = [0; 3];
        let mut strides = [0; 3];
        for plane in 0..if subsampling.is_some() { 3 } else { 1 } {
            let (across, down) = if plane == 0 { (0, 0) } else { subsampling.unwrap_or_default() };
            let stride = (columns >> across).saturating_mul(bytes);
            // Rows at multiples of 1024 bytes would share the same few lines of the cache.
            strides[plane] = if stride % 1024 == 0 { stride + ALIGNMENT } else { stride };
            sizes[plane] = strides[plane].saturating_mul(rows >> down);
        }
        let whole = sizes.iter().fold(2 * ALIGNMENT, |sum, &size| sum.saturating_add(size));
        let buffer = memory::filled(0u8, whole)?;
        let first = buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        let starts = [first, first + sizes[0], first + sizes[0] + sizes[1]];
        Ok(Planes { width, height, depth, subsampling, buffer, starts, strides })
    }

    /// Where a plane begins, for a decoder that writes there; None where there is none.
    pub(super) fn pointer(&mut self, plane: usize) -> Option<std::ptr::NonNull<u8>> {
        if self.strides[plane] == 0 {
            return None;
        }
        self.buffer.get_mut(self.starts[plane]..).and_then(|rest| std::ptr::NonNull::new(rest.as_mut_ptr()))
    }

    /// Where the first plane begins, which tells these planes from others.
    pub(super) fn base(&self) -> Option<*const u8> {
        self.buffer.get(self.starts[0]..).map(<[u8]>::as_ptr)
    }

    /// Bytes from one row of a plane to the next.
    pub(super) fn stride(&self, plane: usize) -> usize {
        self.strides[plane]
    }

    /// Columns and rows of a plane.
    pub(super) fn size(&self, plane: usize) -> (usize, usize) {
        match (plane, self.subsampling) {
            (0, _) | (_, None) => (self.width, self.height),
            (_, Some((across, down))) => (self.width.div_ceil(1 << across), self.height.div_ceil(1 << down)),
        }
    }

    /// The bytes of the first `columns` samples of a row.
    fn bytes(&self, plane: usize, row: usize, columns: usize) -> &[u8] {
        let start = self.starts[plane] + row * self.strides[plane];
        &self.buffer[start..start + columns * if self.depth > 8 { 2 } else { 1 }]
    }

    /// Copies the samples of a row, none of them above the greatest value.
    pub(super) fn read(&self, plane: usize, row: usize, samples: &mut [u16]) {
        let most = ((1u32 << self.depth) - 1) as u16;
        let bytes = self.bytes(plane, row, samples.len());
        if self.depth > 8 {
            for (sample, bytes) in samples.iter_mut().zip(bytes.chunks_exact(2)) {
                *sample = u16::from_ne_bytes([bytes[0], bytes[1]]).min(most);
            }
        } else {
            samples.iter_mut().zip(bytes).for_each(|(sample, &byte)| *sample = byte.into());
        }
    }

    /// Copies a tile of the same depth and subsampling to a place in luma samples, as far as it lies inside.
    pub(super) fn paste(&mut self, tile: &Planes, (left, top): (usize, usize)) {
        for plane in 0..if self.subsampling.is_some() { 3 } else { 1 } {
            let (across, down) = if plane == 0 { (0, 0) } else { self.subsampling.unwrap_or_default() };
            let (x, y) = (left >> across, top >> down);
            let (width, height) = self.size(plane);
            let (columns, rows) = tile.size(plane);
            let (columns, rows) = (columns.min(width.saturating_sub(x)), rows.min(height.saturating_sub(y)));
            let bytes = if self.depth > 8 { 2 } else { 1 };
            for row in 0..rows {
                let to = self.starts[plane] + (y + row) * self.strides[plane] + x * bytes;
                self.buffer[to..to + columns * bytes].copy_from_slice(tile.bytes(plane, row, columns));
            }
        }
    }
}

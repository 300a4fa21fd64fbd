//! What a scan header says.

use super::super::limits::Failure;
use super::header::{Header, NATURAL_ORDER};
use super::Frame;

/// One scan's part of the picture.
pub(super) struct Scan {
    pub(super) parts: Vec<Part>,
    /// First and last coefficient, and the bit positions before and after (progressive).
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) high: u32,
    pub(super) low: u32,
}

/// A component of a scan, and its DC and AC table.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) component: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

impl Scan {
    pub(super) fn read(frame: &Frame, header: &Header<'_>, segment: &[u8]) -> Result<Self, Failure> {
        let invalid = || Failure::unreadable("a scan header is invalid");
        let count = usize::from(*segment.first().ok_or_else(invalid)?);
        let rest = segment.get(1 + count * 2..1 + count * 2 + 3).ok_or_else(invalid)?;
        let mut parts: Vec<Part> = Vec::new();
        for entry in segment[1..1 + count * 2].chunks_exact(2) {
            let component = frame.components.iter().position(|c| c.id == entry[0]).ok_or_else(invalid)?;
            let (dc, ac) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
            if parts.iter().any(|part| part.component == component) {
                return Err(invalid());
            }
            parts.push(Part { component, dc, ac });
        }
        let size = |part: &Part| frame.components[part.component].h * frame.components[part.component].v;
        let blocks: usize = parts.iter().map(size).sum();
        if parts.is_empty() || (parts.len() > 1 && blocks > 10) {
            return Err(invalid());
        }
        let (mut first, mut last) = (usize::from(rest[0]), usize::from(rest[1]));
        let (mut high, mut low) = (u32::from(rest[2] >> 4), u32::from(rest[2] & 15));
        if frame.progressive {
            let band = if first == 0 { last == 0 } else { first <= last && last < 64 && parts.len() == 1 };
            if !band || (high != 0 && low + 1 != high) || low > 13 {
                return Err(invalid());
            }
        } else {
            // Baseline encoders that write nonsense here are forgiven.
            (first, last, high, low) = (0, 63, 0, 0);
        }
        let needs_dc = first == 0 && high == 0;
        let needs_ac = last > 0;
        for part in parts.iter().filter(|_| !frame.arithmetic) {
            if (needs_dc && header.dc(part.dc).is_none()) || (needs_ac && header.ac(part.ac).is_none()) {
                return Err(Failure::unreadable("a Huffman table is missing or invalid"));
            }
        }
        Ok(Scan { parts, first, last, high, low })
    }

    /// Columns and rows of units. A scan of one component has no padding blocks.
    pub(super) fn units(&self, frame: &Frame) -> (usize, usize) {
        match self.parts[..] {
            [Part { component, .. }] => {
                let component = &frame.components[component];
                (component.width.div_ceil(8), component.height.div_ceil(8))
            }
            _ => frame.units(),
        }
    }

    /// Blocks that it visits.
    pub(super) fn blocks(&self, frame: &Frame) -> usize {
        let (columns, rows) = self.units(frame);
        let size = |part: &Part| frame.components[part.component].h * frame.components[part.component].v;
        columns * rows * if self.parts.len() > 1 { self.parts.iter().map(size).sum() } else { 1 }
    }
}

/// Where the k-th coefficient lies; broken runs beyond the block end in its last one, as in libjpeg.
pub(super) fn natural(k: usize) -> usize {
    usize::from(NATURAL_ORDER[k.min(63)])
}

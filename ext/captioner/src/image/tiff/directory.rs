//! The tags of a TIFF file's first picture.

use super::super::limits::Failure;

/// Values of one tag; more have only absurd files.
const MOST_VALUES: usize = 1 << 20;

pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    /// Numbers begin with their highest byte.
    pub(super) big: bool,
    /// Twelve bytes each.
    entries: &'a [u8],
}

impl<'a> Directory<'a> {
    pub(super) fn first(bytes: &'a [u8]) -> Result<Self, Failure> {
        let mut directory = Directory { bytes, big: bytes.starts_with(b"MM"), entries: &[] };
        let at = directory.read(4, 4).ok_or_else(Failure::truncated)?;
        let count = directory.read(at, 2).ok_or_else(Failure::truncated)?;
        directory.entries = bytes.get(at + 2..at + 2 + count * 12).ok_or_else(Failure::truncated)?;
        Ok(directory)
    }

    /// A number of some bytes at a place in the file.
    fn read(&self, at: usize, size: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        let fold = |value: usize, byte: &u8| value << 8 | usize::from(*byte);
        Some(if self.big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }

    /// All values of a tag; none if it is missing.
    pub(super) fn numbers(&self, tag: u16) -> Result<Vec<usize>, Failure> {
        let start = self.entries.as_ptr() as usize - self.bytes.as_ptr() as usize;
        let mut places = (0..self.entries.len() / 12).map(|i| start + i * 12);
        let Some(entry) = places.find(|&at| self.read(at, 2) == Some(tag.into())) else { return Ok(Vec::new()) };
        let size = match self.read(entry + 2, 2) {
            Some(1) => 1,
            Some(3) => 2,
            Some(4) => 4,
            _ => return Err(Failure::unreadable(format!("its tag {tag} is of an unexpected type"))),
        };
        let count = self.read(entry + 4, 4).ok_or_else(Failure::truncated)?;
        if count > MOST_VALUES {
            return Err(Failure::unreadable(format!("its tag {tag} has {count} values")));
        }
        let at = if count * size <= 4 { entry + 8 } else { self.read(entry + 8, 4).ok_or_else(Failure::truncated)? };
        (0..count).map(|i| self.read(at + i * size, size).ok_or_else(Failure::truncated)).collect()
    }

    /// The first value of a tag.
    pub(super) fn number(&self, tag: u16) -> Option<usize> {
        self.numbers(tag).ok()?.first().copied()
    }
}

//! The boxes of the ISO base media file format, and the numbers in them.

use super::super::limits::Failure;

/// Four letters.
pub(super) type Kind = [u8; 4];

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Failure> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(Failure::truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of up to eight bytes.
    pub(super) fn number(&mut self, bytes: usize) -> Result<u64, Failure> {
        Ok(self.take(bytes)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    pub(super) fn byte(&mut self) -> Result<u8, Failure> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn short(&mut self) -> Result<u16, Failure> {
        Ok(self.number(2)? as u16)
    }

    pub(super) fn long(&mut self) -> Result<u32, Failure> {
        Ok(self.number(4)? as u32)
    }

    pub(super) fn kind(&mut self) -> Result<Kind, Failure> {
        Ok(self.long()?.to_be_bytes())
    }

    /// Version and flags, with which some boxes begin.
    pub(super) fn version(&mut self) -> Result<(u8, u32), Failure> {
        let value = self.long()?;
        Ok(((value >> 24) as u8, value & 0xff_ffff))
    }

    /// The next box and what is in it; None at the end.
    pub(super) fn next_box(&mut self) -> Result<Option<(Kind, Reader<'a>)>, Failure> {
        match self.open()? {
            Some((kind, size)) => Ok(Some((kind, Reader(self.take(size.unwrap_or(self.0.len()))?)))),
            None => Ok(None),
        }
    }

    /// [`next_box`](Self::next_box) of a file, whose end may be missing: what is needed of it is missed later.
    pub(super) fn next_of_file(&mut self) -> Result<Option<(Kind, Reader<'a>)>, Failure> {
        let Some((kind, size)) = self.open()? else { return Ok(None) };
        let size = size.unwrap_or(usize::MAX).min(self.0.len());
        Ok(Some((kind, Reader(self.take(size)?))))
    }

    /// The first box of a kind among those that follow.
    pub(super) fn find(mut self, wanted: &Kind) -> Result<Option<Reader<'a>>, Failure> {
        while let Some((kind, body)) = self.next_box()? {
            if kind == *wanted {
                return Ok(Some(body));
            }
        }
        Ok(None)
    }

    /// The kind of a box, and the bytes in it unless it goes on to the end.
    fn open(&mut self) -> Result<Option<(Kind, Option<usize>)>, Failure> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let size = self.long()?;
        let kind = self.kind()?;
        let (size, header) = match size {
            0 => return Ok(Some((kind, None))),
            1 => (self.number(8)?, 16),
            size => (size.into(), 8),
        };
        let inside = size.checked_sub(header).ok_or_else(|| Failure::unreadable("a box is smaller than its header"))?;
        Ok(Some((kind, Some(usize::try_from(inside).unwrap_or(usize::MAX)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_boxes() {
        let mut reader = Reader(b"\0\0\0\x0aabcdxy\0\0\0\x01efgh\0\0\0\0\0\0\0\x11z\0\0\0\0ijklrest");
        let mut next = || reader.next_box().expect("a box").map(|(kind, body)| (kind, body.0));
        assert_eq!(next(), Some((*b"abcd", &b"xy"[..])));
        assert_eq!(next(), Some((*b"efgh", &b"z"[..])));
        assert_eq!(next(), Some((*b"ijkl", &b"rest"[..])));
        assert_eq!(next(), None);
    }

    #[test]
    fn boxes_that_cannot_be() {
        for bytes in [&b"\0\0\0\x07abcd"[..], b"\0\0\0\x09abcd", b"\0\0\0", b"\0\0\0\x01abcd\0\0\0\0\0\0\0\x0f"] {
            assert!(Reader(bytes).next_box().is_err(), "{bytes:?}");
        }
        let (_, body) = Reader(b"\0\0\0\x20abcdxy").next_of_file().expect("a box").expect("a box");
        assert_eq!(body.0, b"xy");
        assert!(Reader(b"\0\0\0\x01abcd\xff\xff\xff\xff\xff\xff\xff\xff").next_box().is_err());
    }
}

//! Bytes for a decoder of others, which end with an error when the caller wants to stop.

use std::io::{BufRead, Cursor, Error, Read, Result, Seek, SeekFrom};

use super::super::context::Context;

/// Bytes handed out between two looks at the wish to stop.
const AT_ONCE: usize = 4096;

pub(super) struct Stoppable<'a> {
    bytes: Cursor<&'a [u8]>,
    context: &'a Context<'a>,
}

impl<'a> Stoppable<'a> {
    pub(super) fn new(bytes: &'a [u8], context: &'a Context<'a>) -> Self {
        Stoppable { bytes: Cursor::new(bytes), context }
    }
}

impl BufRead for Stoppable<'_> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        // Not ErrorKind::Interrupted, upon which readers try again.
        self.context.go_on().map_err(|_| Error::other("stopped"))?;
        let rest = self.bytes.fill_buf()?;
        Ok(&rest[..rest.len().min(AT_ONCE)])
    }

    fn consume(&mut self, count: usize) {
        self.bytes.consume(count);
    }
}

impl Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl Seek for Stoppable<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.bytes.seek(to)
    }
}

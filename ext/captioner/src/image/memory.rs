//! Buffers whose size a file decides. Where memory is limited, asking for too much is an error and not the end of the
//! process.

use crate::error::Error;

/// So many bytes could not be allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfMemory(usize);

impl OutOfMemory {
    /// What happened and the way out, to follow the name of an image.
    pub(super) fn message(self) -> String {
        let mebibytes = self.0.div_ceil(1 << 20);
        format!("needs {mebibytes} MiB more than this process may have; scale it down or give the process more memory")
    }
}

impl From<OutOfMemory> for Error {
    fn from(error: OutOfMemory) -> Self {
        Error::ImageTooLarge(format!("the image {}", error.message()))
    }
}

/// An empty vector with room for `count` values.
pub(super) fn room<T>(count: usize) -> Result<Vec<T>, OutOfMemory> {
    let mut values = Vec::new();
    more(&mut values, count)?;
    Ok(values)
}

/// Makes room for `count` more values.
pub(super) fn more<T>(values: &mut Vec<T>, count: usize) -> Result<(), OutOfMemory> {
    let bytes = values.len().saturating_add(count).saturating_mul(size_of::<T>());
    values.try_reserve_exact(count).map_err(|_| OutOfMemory(bytes))
}

/// Adds a value; room is made for many at a time.
pub(super) fn push<T>(values: &mut Vec<T>, value: T) -> Result<(), OutOfMemory> {
    values.try_reserve(1).map_err(|_| OutOfMemory(values.len().saturating_mul(2 * size_of::<T>())))?;
    values.push(value);
    Ok(())
}

/// `count` times the same value.
pub(super) fn filled<T: Clone>(value: T, count: usize) -> Result<Vec<T>, OutOfMemory> {
    let mut values = room(count)?;
    values.resize(count, value);
    Ok(values)
}

/// The error of bytes that somebody else was refused.
pub(super) fn refused(bytes: usize) -> OutOfMemory {
    OutOfMemory(bytes)
}

/// Says whether so many bytes can be allocated now, for code of others that cannot fail to allocate them.
pub(super) fn probe(bytes: usize) -> Result<(), OutOfMemory> {
    room::<u8>(bytes).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_an_error() {
        assert_eq!(filled(7u16, 3), Ok(vec![7; 3]));
        let error = filled(0u8, isize::MAX as usize).expect_err("half the address space");
        assert!(error.message().contains("MiB"), "{}", error.message());
        assert!(room::<u64>(usize::MAX).is_err());
    }
}

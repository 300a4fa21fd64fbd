//! The pixel limit, and what can go wrong inside a decoder.

use super::memory::OutOfMemory;

/// How large an image may be, which is checked against the header before anything is allocated for the pixels, and what
/// of it is heeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels (width times height).
    pub max_pixels: u64,
    /// Turn and mirror the picture as its EXIF orientation says.
    pub apply_orientation: bool,
}

impl Default for Limits {
    /// The size from which Pillow warns of a decompression bomb (`Image.MAX_IMAGE_PIXELS`).
    fn default() -> Self {
        Limits { max_pixels: 89_478_485, apply_orientation: true }
    }
}

/// Why a decoder gave up. `load` adds the name of the file and the way out.
#[derive(Debug)]
pub(super) enum Failure {
    /// The bytes are damaged or of a kind that is not read: what was wrong.
    Unreadable(String),
    /// Width and height that the header asks for.
    TooLarge(u64, u64),
    /// There is no memory for it.
    OutOfMemory(OutOfMemory),
    /// The process is at fault, and not the image: what it cannot do.
    Process(String),
    /// The caller asked to stop.
    Interrupted,
}

impl Failure {
    pub(super) fn unreadable(what: impl std::fmt::Display) -> Self {
        Failure::Unreadable(what.to_string())
    }

    /// The end of the file came before the end of the image.
    pub(super) fn truncated() -> Self {
        Failure::unreadable("the file is truncated")
    }
}

impl From<OutOfMemory> for Failure {
    fn from(error: OutOfMemory) -> Self {
        Failure::OutOfMemory(error)
    }
}

impl Limits {
    /// Refuses a size of zero and a size beyond the limit; otherwise returns the number of pixels.
    pub(super) fn check(&self, width: u64, height: u64) -> Result<usize, Failure> {
        if width == 0 || height == 0 {
            return Err(Failure::unreadable(format!("the image is {width}x{height} pixels")));
        }
        match width.checked_mul(height) {
            // An eighth of the address space, so that no size computation overflows on 32 bits.
            Some(pixels) if pixels <= self.max_pixels && pixels <= (usize::MAX / 8) as u64 => Ok(pixels as usize),
            _ => Err(Failure::TooLarge(width, height)),
        }
    }

    /// No file of an image within the limit needs more bytes: 16-bit RGBA without compression, and room for metadata.
    pub(super) fn max_file_bytes(&self) -> u64 {
        self.max_pixels.saturating_mul(8).saturating_add(64 << 20)
    }
}

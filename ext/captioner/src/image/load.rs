//! Files and bytes to RGB: formats by their first bytes, limits before allocation, panics of decoders caught.

use std::any::Any;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;

use super::limits::Failure;
use super::{bmp, gif, jpeg, png, webp, Limits, RgbImage};
use crate::error::{Error, Result};

/// What the first bytes say. Nothing else is ever decoded, whatever the file is called.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
    Bmp,
}

impl Format {
    /// Bytes that `sniff` wants to see.
    const PREFIX: usize = 12;

    fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
            [b'B', b'M', ..] => Some(Format::Bmp),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::Gif => "GIF",
            Format::WebP => "WebP",
            Format::Bmp => "BMP",
        }
    }
}

/// Reads an image file. A missing file is `NotFound`; a directory, a device, an empty file, text and damaged images are
/// `UnreadableImage`; an image beyond the limit is `ImageTooLarge`. The messages name the file.
pub fn load_path(path: &Path, limits: &Limits) -> Result<RgbImage> {
    let name = path.display().to_string();
    let bytes = read(path, &name, limits)?;
    load_bytes_as(&name, &bytes, limits)
}

/// Decodes an image that is in memory already. The messages call it "the image".
pub fn load_bytes(bytes: &[u8], limits: &Limits) -> Result<RgbImage> {
    load_bytes_as("the image", bytes, limits)
}

/// Decodes an image that is in memory already; `name` stands for it in messages.
pub fn load_bytes_as(name: &str, bytes: &[u8], limits: &Limits) -> Result<RgbImage> {
    let format = Format::sniff(bytes).ok_or_else(|| unknown(name, bytes))?;
    // Decoders of other crates are known to panic on crafted files, and a panic must not reach the caller.
    let decoded = catch_unwind(AssertUnwindSafe(|| match format {
        Format::Jpeg => jpeg::decode(bytes, limits),
        Format::Png => png::decode(bytes, limits),
        Format::Gif => gif::decode(bytes, limits),
        Format::WebP => webp::decode(bytes, limits),
        Format::Bmp => bmp::decode(bytes, limits),
    }))
    .unwrap_or_else(|panic| Err(Failure::Unreadable(format!("its decoder gave up: {}", reason(&*panic)))));
    decoded.map_err(|failure| match failure {
        Failure::Unreadable(what) => Error::UnreadableImage(format!(
            "{name} cannot be read as {}: {what}; check that it opens elsewhere, or save it again",
            format.name()
        )),
        Failure::TooLarge(width, height) => Error::ImageTooLarge(format!(
            "{name} is {width}x{height} pixels, the limit is {} in all; scale it down or raise max_pixels",
            limits.max_pixels
        )),
        Failure::OutOfMemory(error) => Error::ImageTooLarge(format!("{name} {}", error.message())),
    })
}

/// Reads the file, but only if it can be an image: no directory or device, known first bytes, not larger than an
/// image within the limit can be.
fn read(path: &Path, name: &str, limits: &Limits) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Error::NotFound(path.to_path_buf()),
        ErrorKind::PermissionDenied => {
            Error::UnreadableImage(format!("{name} cannot be opened: {error}; check its permissions"))
        }
        _ => Error::UnreadableImage(format!("{name} cannot be read: {error}")),
    };
    // Asked before opening, because opening a pipe waits for its writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        let kind = if metadata.is_dir() { "a directory" } else { "a device or a pipe" };
        return Err(Error::UnreadableImage(format!("{name} is {kind}, not an image; give the path of an image file")));
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.by_ref().take(Format::PREFIX as u64).read_to_end(&mut bytes).map_err(failed)?;
    if Format::sniff(&bytes).is_none() {
        return Err(unknown(name, &bytes));
    }
    let most = limits.max_file_bytes();
    let rest = most.saturating_sub(bytes.len() as u64);
    file.take(rest.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(Error::ImageTooLarge(format!(
            "{name} has {} bytes, more than any image of {} pixels needs; scale it down or raise max_pixels",
            metadata.len(),
            limits.max_pixels
        )));
    }
    Ok(bytes)
}

fn unknown(name: &str, bytes: &[u8]) -> Error {
    let what = if bytes.is_empty() {
        "is empty".to_string()
    } else if bytes.iter().take(Format::PREFIX).all(|b| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~')) {
        "is text or another format".to_string()
    } else {
        let start: Vec<String> = bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
        format!("starts with the bytes {}", start.join(" "))
    };
    Error::UnreadableImage(format!(
        "{name} is not an image that can be read (it {what}); convert it to JPEG, PNG, GIF, WebP or BMP"
    ))
}

fn reason(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "unknown reason",
    }
}

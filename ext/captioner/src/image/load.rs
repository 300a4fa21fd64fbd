//! Files and bytes to RGB: formats by their first bytes, limits before allocation, panics of decoders caught.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::context::Context;
use super::format::{foreign, Format, PREFIX};
use super::frames::{first_visible, is_blank, Frames};
use super::ground::Ground;
use super::limits::Failure;
use super::{avif, bmp, gif, jpeg, memory, orientation, png, tiff, webp, Limits, RgbImage};
use crate::error::{panic_reason, Error, Result};

/// Bytes of a file that are read between two looks at the wish to stop.
const READ_AT_ONCE: u64 = 1 << 20;

/// For loads that nobody stops.
static NEVER: AtomicBool = AtomicBool::new(false);

/// Reads an image file. A missing file is `NotFound`; a directory, a device, an empty file, text and damaged images are
/// `UnreadableImage`; an image beyond the limit or the available memory is `ImageTooLarge`. The messages name the
/// file.
pub fn load_path(path: &Path, limits: &Limits) -> Result<RgbImage> {
    load_path_until(path, limits, &NEVER)
}

/// [`load_path`], but `Interrupted` soon after `stop` is set. Nothing is kept of an interrupted load.
pub fn load_path_until(path: &Path, limits: &Limits, stop: &AtomicBool) -> Result<RgbImage> {
    load_bytes_until(&path.display().to_string(), &read_path(path, limits, stop)?, limits, stop)
}

/// Decodes an image that is in memory already. The messages call it "the image".
pub fn load_bytes(bytes: &[u8], limits: &Limits) -> Result<RgbImage> {
    load_bytes_as("the image", bytes, limits)
}

/// Decodes an image that is in memory already; `name` stands for it in messages.
pub fn load_bytes_as(name: &str, bytes: &[u8], limits: &Limits) -> Result<RgbImage> {
    load_bytes_until(name, bytes, limits, &NEVER)
}

/// [`load_bytes_as`], but `Interrupted` soon after `stop` is set. Nothing is kept of an interrupted load.
pub fn load_bytes_until(name: &str, bytes: &[u8], limits: &Limits, stop: &AtomicBool) -> Result<RgbImage> {
    let (format, start) = Format::find(bytes).ok_or_else(|| unknown(name, bytes))?;
    let bytes = &bytes[start..];
    let context = Context::new(limits, stop);
    // Decoders of other crates are known to panic on crafted files, and a panic must not reach the caller.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(format, bytes, &context)))
        .unwrap_or_else(|panic| Err(Failure::Unreadable(format!("its decoder gave up: {}", panic_reason(&*panic)))));
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
        Failure::Process(what) => Error::Internal(format!("{name} was not read: {what}")),
        Failure::Interrupted => Error::Interrupted,
    })
}

/// The picture that the file shows, upright.
fn decode(format: Format, bytes: &[u8], context: &Context<'_>) -> std::result::Result<RgbImage, Failure> {
    let mut ground = Ground::white();
    let mut image = picture(format, bytes, context, &mut ground)?;
    if ground.hides() {
        drop(image);
        image = picture(format, bytes, context, &mut Ground::black())?;
    }
    if format.may_move() && is_blank(&image) {
        if let Some(later) = later_frame(format, bytes, context)? {
            image = later;
        }
    }
    if !context.limits.apply_orientation {
        return Ok(image);
    }
    let orientation = match format {
        Format::Jpeg => jpeg::exif(bytes).and_then(orientation::read),
        Format::Png => png::exif(bytes).and_then(orientation::read),
        Format::WebP => webp::exif(bytes).and_then(orientation::read),
        Format::Tiff => tiff::orientation(bytes),
        Format::Avif => avif::orientation(bytes, context),
        Format::Gif | Format::Bmp => None,
    };
    Ok(orientation::apply(image, orientation.unwrap_or(1))?)
}

/// The picture, or the first frame of an animation, on a ground.
fn picture(
    format: Format,
    bytes: &[u8],
    context: &Context<'_>,
    ground: &mut Ground,
) -> std::result::Result<RgbImage, Failure> {
    match format {
        Format::Jpeg => jpeg::decode(bytes, context),
        Format::Png => png::decode(bytes, context, ground),
        Format::Gif => gif::decode(bytes, context, ground),
        Format::WebP => webp::decode(bytes, context, ground),
        Format::Bmp => bmp::decode(bytes, context, ground),
        Format::Tiff => tiff::decode(bytes, context, ground),
        Format::Avif => avif::decode(bytes, context, ground),
    }
}

/// The first frame of an animation that shows something.
fn later_frame(format: Format, bytes: &[u8], context: &Context<'_>) -> std::result::Result<Option<RgbImage>, Failure> {
    fn search(
        frames: Option<(impl Frames, (usize, usize))>,
        context: &Context<'_>,
    ) -> std::result::Result<Option<RgbImage>, Failure> {
        frames.map_or(Ok(None), |(frames, size)| first_visible(frames, size, context))
    }
    match format {
        Format::Png => search(png::frames(bytes, context)?, context),
        Format::Gif => search(gif::frames(bytes, context)?, context),
        Format::WebP => search(webp::frames(bytes, context)?, context),
        Format::Jpeg | Format::Bmp | Format::Tiff | Format::Avif => Ok(None),
    }
}

/// The file's bytes, but only if they can be an image: no directory or device, known first bytes, not larger than an
/// image within the limit can be. Errors as for [`load_path`].
pub fn read_path(path: &Path, limits: &Limits, stop: &AtomicBool) -> Result<Vec<u8>> {
    let name = &path.display().to_string();
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
    file.by_ref().take(PREFIX as u64).read_to_end(&mut bytes).map_err(failed)?;
    if Format::find(&bytes).is_none() {
        return Err(unknown(name, &bytes));
    }
    let most = limits.max_file_bytes();
    let expected = metadata.len().min(most.saturating_add(1));
    memory::more(&mut bytes, usize::try_from(expected).unwrap_or(usize::MAX).saturating_sub(PREFIX))?;
    while bytes.len() as u64 <= most {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let rest = (most - bytes.len() as u64).saturating_add(1);
        if file.by_ref().take(rest.min(READ_AT_ONCE)).read_to_end(&mut bytes).map_err(failed)? == 0 {
            return Ok(bytes);
        }
    }
    Err(Error::ImageTooLarge(format!(
        "{name} has {} bytes, more than any image of {} pixels needs; scale it down or raise max_pixels",
        metadata.len(),
        limits.max_pixels
    )))
}

fn unknown(name: &str, bytes: &[u8]) -> Error {
    let (what, way) = foreign(bytes);
    Error::UnreadableImage(format!("{name} is not an image that can be read (it {what}); {way}"))
}

//! PNG, with Pillow's reading of depth and transparency (PngImagePlugin.py, libImaging/Unpack.c and Convert.c), except
//! that 16-bit grey is scaled and not clipped.

use std::io::Cursor;

use png::{expand_interlaced_row, Decoder, InterlaceInfo, Limits as PngLimits, Reader, Transformations};

use super::context::Context;
use super::frames::{Canvas, Frames, Place};
use super::ground::Ground;
use super::limits::Failure;
use super::{memory, RgbImage};

mod chunks;
mod rows;

use chunks::{Chunks, Frame};
use rows::Rows;

/// Memory for everything but the pixels: palettes, the inflater's window.
const OVERHEAD: usize = 1 << 20;

/// The EXIF data of the file, wherever it lies.
pub(super) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    Chunks::read(bytes).ok()?.exif
}

pub(super) fn decode(bytes: &[u8], context: &Context<'_>, ground: &mut Ground) -> Result<RgbImage, Failure> {
    let chunks = Chunks::read(bytes)?;
    let (width, height) = size(&chunks, context)?;
    let rows = rows(&chunks);
    let mut data = memory::room(width as usize * height as usize * 3)?;
    let file = chunks.file(width, height, &chunks.picture)?;
    each_row(&file, width, height, context, |row| rows.convert(row, width as usize, ground, &mut data)).map_err(
        |failure| match failure {
            Failure::Unreadable(_) if chunks.is_truncated => Failure::truncated(),
            failure => failure,
        },
    )?;
    Ok(RgbImage { width, height, data })
}

fn size(chunks: &Chunks<'_>, context: &Context<'_>) -> Result<(u32, u32), Failure> {
    let number = |at: usize| chunks.header[at..at + 4].iter().fold(0, |value, &byte| value << 8 | u32::from(byte));
    let (width, height) = (number(0), number(4));
    context.check(width.into(), height.into())?;
    Ok((width, height))
}

fn rows(chunks: &Chunks<'_>) -> Rows {
    Rows::new(chunks.header[8], chunks.header[9], chunks.palette, chunks.transparency)
}

/// Hands on the raw rows of the picture in a file that [`Chunks::file`] made.
fn each_row(
    file: &[u8],
    width: u32,
    height: u32,
    context: &Context<'_>,
    mut put: impl FnMut(&[u8]),
) -> Result<(), Failure> {
    // The decoder cannot fail to allocate, but it counts: three rows and what a row takes to unpack.
    let limit = OVERHEAD.saturating_add((width as usize).saturating_mul(8 * 4));
    memory::probe(limit)?;
    let mut decoder = Decoder::new_with_limits(Cursor::new(file), PngLimits { bytes: limit });
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.ignore_checksums(true);
    let mut reader = decoder.read_info().map_err(Failure::unreadable)?;
    let line = reader.output_line_size(width).ok_or_else(Failure::truncated)?;
    if reader.info().interlaced {
        let whole = interlaced(&mut reader, line, height as usize, context)?;
        whole.chunks_exact(line).for_each(put);
        return Ok(());
    }
    // Row by row, so that no second full-size buffer is needed. Nothing behind the last row matters.
    for y in 0..height {
        if y % 16 == 0 {
            context.go_on()?;
        }
        put(reader.next_row().map_err(Failure::unreadable)?.ok_or_else(Failure::truncated)?.data());
    }
    Ok(())
}

/// The rows of all passes in their places.
fn interlaced(
    reader: &mut Reader<Cursor<&[u8]>>,
    line: usize,
    height: usize,
    context: &Context<'_>,
) -> Result<Vec<u8>, Failure> {
    let (width, size) = (reader.info().width as usize, reader.info().bits_per_pixel() as u8);
    let mut whole = memory::filled(0, line * height)?;
    // First row, distance of rows, first column.
    let passes = [(0, 8, 0), (0, 8, 4), (4, 8, 0), (0, 4, 2), (2, 4, 0), (0, 2, 1), (1, 2, 0)];
    let seen = passes.iter().filter(|(.., column)| *column < width);
    let rows: usize = seen.map(|&(first, step, _)| height.saturating_sub(first).div_ceil(step)).sum();
    for i in 0..rows {
        if i % 16 == 0 {
            context.go_on()?;
        }
        let row = reader.next_interlaced_row().map_err(Failure::unreadable)?.ok_or_else(Failure::truncated)?;
        if let InterlaceInfo::Adam7(info) = row.interlace() {
            expand_interlaced_row(&mut whole, line, row.data(), info, size);
        }
    }
    Ok(whole)
}

/// The frames of an animated PNG and the size of its canvas; None for a picture that does not move.
pub(super) fn frames<'a>(
    bytes: &'a [u8],
    context: &Context<'_>,
) -> Result<Option<(impl Frames + 'a, (usize, usize))>, Failure> {
    let chunks = Chunks::read(bytes)?;
    let (width, height) = size(&chunks, context)?;
    if chunks.frames.iter().all(|frame| frame.data.is_none()) {
        return Ok(None);
    }
    Ok(Some((Animation { chunks, next: 0, disposal: None }, (width as usize, height as usize))))
}

struct Animation<'a> {
    chunks: Chunks<'a>,
    next: usize,
    /// What is done to the canvas before the next frame.
    disposal: Option<Disposal>,
}

enum Disposal {
    Clear(Place),
    Restore(Vec<u8>),
}

impl Frames for Animation<'_> {
    fn draw(&mut self, canvas: &mut Canvas, context: &Context<'_>) -> Result<bool, Failure> {
        let Some(frame) = self.chunks.frames.get(self.next) else { return Ok(false) };
        match self.disposal.take() {
            Some(Disposal::Clear(place)) => canvas.clear(place),
            Some(Disposal::Restore(data)) => canvas.data = data,
            None => {}
        }
        let &Frame { width, height, x, y, .. } = frame;
        context.check(width.into(), height.into())?;
        let place = Place { x: x as usize, y: y as usize, width: width as usize, height: height as usize };
        self.disposal = match frame.dispose {
            1 => Some(Disposal::Clear(place)),
            2 => {
                let mut data = memory::room(canvas.data.len())?;
                data.extend_from_slice(&canvas.data);
                Some(Disposal::Restore(data))
            }
            _ => None,
        };
        let file = self.chunks.file(width, height, frame.data.as_ref().unwrap_or(&self.chunks.picture))?;
        let (rows, over) = (rows(&self.chunks), frame.blend == 1);
        let mut targets = canvas.rows(place);
        each_row(&file, width, height, context, |row| {
            let Some((_, target)) = targets.next() else { return };
            let mut pixels = target.chunks_exact_mut(4);
            rows.each(row, width as usize, |rgba| match pixels.next() {
                Some(pixel) if over => Canvas::blend(pixel, rgba),
                Some(pixel) => pixel.copy_from_slice(&rgba),
                None => {}
            });
        })?;
        self.next += 1;
        Ok(true)
    }
}

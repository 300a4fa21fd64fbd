//! WebP: lossy, lossless, with alpha, and animations on their canvas (libwebp's anim_decode.c, which is what Pillow's
//! WebPImagePlugin.py reads through).

use image_webp::WebPDecoder;

use super::context::Context;
use super::frames::{Canvas, Frames, Place};
use super::ground::{flatten, Ground};
use super::limits::Failure;
use super::{memory, RgbImage};

mod chunks;
mod stoppable;

use chunks::{little_endian, next_frame, picture, push_chunk, Chunks, Frame};
use stoppable::Stoppable;

const ALPHA_FLAG: u8 = 0x10;
const EXIF_FLAG: u8 = 0x08;
const ANIMATION_FLAG: u8 = 0x02;

/// What precedes the first picture.
struct Header<'a> {
    canvas: (u32, u32),
    has_alpha: bool,
    flags: u8,
    /// The chunks from the first picture on.
    chunks: Chunks<'a>,
}

impl<'a> Header<'a> {
    fn read(bytes: &'a [u8], context: &Context<'_>) -> Result<Self, Failure> {
        let riff = 8 + little_endian(bytes.get(4..8).ok_or_else(Failure::truncated)?);
        let body = bytes.get(12..riff).ok_or_else(Failure::truncated)?;
        let mut chunks = Chunks(body);
        let (name, first) = chunks.next()?.ok_or_else(Failure::truncated)?;
        let header = if name == b"VP8X" {
            let header = first.get(..10).ok_or_else(Failure::truncated)?;
            let canvas = (1 + little_endian(&header[4..7]) as u32, 1 + little_endian(&header[7..10]) as u32);
            Header { canvas, has_alpha: header[0] & ALPHA_FLAG != 0, flags: header[0], chunks }
        } else {
            let canvas = picture(&mut Chunks(body), (0, 0))?.size;
            let has_alpha = name == b"VP8L" && first.get(4).is_some_and(|byte| byte & 0x10 != 0);
            Header { canvas, has_alpha, flags: 0, chunks: Chunks(body) }
        };
        context.check(header.canvas.0.into(), header.canvas.1.into())?;
        Ok(header)
    }

    fn is_animation(&self) -> bool {
        self.flags & ANIMATION_FLAG != 0
    }

    fn next_frame(&mut self, context: &Context<'_>) -> Result<Option<Frame<'a>>, Failure> {
        let frame = match self.is_animation() {
            true => next_frame(&mut self.chunks)?,
            false => Some(picture(&mut self.chunks, (0, 0))?),
        };
        let Some(frame) = frame else { return Ok(None) };
        context.check(frame.size.0.into(), frame.size.1.into())?;
        let (right, bottom) = (frame.x + frame.size.0 as usize, frame.y + frame.size.1 as usize);
        if right > self.canvas.0 as usize || bottom > self.canvas.1 as usize {
            return Err(Failure::unreadable("a frame lies outside the canvas"));
        }
        Ok(Some(frame))
    }
}

/// The EXIF data of the file.
pub(super) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    let mut chunks = Chunks(bytes.get(12..)?);
    let (name, header) = chunks.next().ok()??;
    // libwebp overlooks it where the header does not announce it.
    if name != b"VP8X" || header.first()? & EXIF_FLAG == 0 {
        return None;
    }
    while let Some((name, data)) = chunks.next().ok()? {
        if name == b"EXIF" {
            return Some(data);
        }
    }
    None
}

pub(super) fn decode(bytes: &[u8], context: &Context<'_>, ground: &mut Ground) -> Result<RgbImage, Failure> {
    let mut header = Header::read(bytes, context)?;
    let frame = header.next_frame(context)?.ok_or_else(|| Failure::unreadable("the animation has no frame"))?;
    let (canvas, has_alpha) = (header.canvas, header.has_alpha);
    let pixels = context.check(canvas.0.into(), canvas.1.into())?;
    let data = still(&frame, context)?.rgb(has_alpha, ground);
    let data = if frame.size == canvas {
        data
    } else {
        // Around the first frame the canvas is clear, and black where the file has no alpha at all.
        let around = if has_alpha { ground.pixel([0; 4]) } else { [0; 3] };
        let mut whole = memory::filled(around[0], pixels * 3)?;
        for (y, row) in data.chunks_exact(frame.size.0 as usize * 3).enumerate() {
            let start = ((frame.y + y) * canvas.0 as usize + frame.x) * 3;
            whole[start..start + row.len()].copy_from_slice(row);
        }
        whole
    };
    Ok(RgbImage { width: canvas.0, height: canvas.1, data })
}

/// Decoded pixels, interleaved.
enum Pixels {
    Rgb(Vec<u8>),
    Rgba(Vec<u8>),
}

impl Pixels {
    fn rgb(self, has_alpha: bool, ground: &mut Ground) -> Vec<u8> {
        match self {
            Pixels::Rgb(data) => data,
            Pixels::Rgba(data) if has_alpha => flatten(data, ground),
            Pixels::Rgba(mut data) => {
                let pixels = data.len() / 4;
                (0..pixels).for_each(|i| data.copy_within(i * 4..i * 4 + 3, i * 3));
                data.truncate(pixels * 3);
                data
            }
        }
    }

    /// RGBA of the pixel `i`.
    fn at(&self, i: usize) -> [u8; 4] {
        match self {
            Pixels::Rgb(data) => [data[i * 3], data[i * 3 + 1], data[i * 3 + 2], 255],
            Pixels::Rgba(data) => [data[i * 4], data[i * 4 + 1], data[i * 4 + 2], data[i * 4 + 3]],
        }
    }
}

/// Decodes one picture. It is handed on as a minimal file of its own: metadata that is announced but missing, which
/// libwebp forgives and the decoder does not, is then out of the way.
fn still(frame: &Frame<'_>, context: &Context<'_>) -> Result<Pixels, Failure> {
    let mut file = memory::room(frame.bitstream.len() + frame.alpha.map_or(0, <[u8]>::len) + 64)?;
    file.extend_from_slice(b"RIFF\0\0\0\0WEBP");
    if let Some(alpha) = frame.alpha {
        let mut header = [0; 10];
        header[0] = ALPHA_FLAG;
        header[4..7].copy_from_slice(&(frame.size.0 - 1).to_le_bytes()[..3]);
        header[7..10].copy_from_slice(&(frame.size.1 - 1).to_le_bytes()[..3]);
        push_chunk(&mut file, b"VP8X", &header);
        push_chunk(&mut file, b"ALPH", alpha);
    }
    push_chunk(&mut file, frame.name, frame.bitstream);
    let size = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    let failed = |error: image_webp::DecodingError| match error {
        _ if context.go_on().is_err() => Failure::Interrupted,
        image_webp::DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Failure::truncated(),
        other => Failure::unreadable(other),
    };
    let mut decoder = WebPDecoder::new(Stoppable::new(&file, context)).map_err(failed)?;
    if decoder.dimensions() != frame.size {
        return Err(Failure::unreadable("the sizes of frame and picture differ"));
    }
    let mut data = memory::filled(0, decoder.output_buffer_size().ok_or_else(Failure::truncated)?)?;
    // Planes or lossless pixels, and alpha; it cannot fail to allocate them.
    memory::probe((frame.size.0 as usize * frame.size.1 as usize).saturating_mul(6))?;
    decoder.read_image(&mut data).map_err(failed)?;
    Ok(if decoder.has_alpha() { Pixels::Rgba(data) } else { Pixels::Rgb(data) })
}

/// The frames of an animation and the size of its canvas; None for a picture that does not move.
pub(super) fn frames<'a>(
    bytes: &'a [u8],
    context: &Context<'_>,
) -> Result<Option<(impl Frames + 'a, (usize, usize))>, Failure> {
    let header = Header::read(bytes, context)?;
    if !header.is_animation() {
        return Ok(None);
    }
    let size = (header.canvas.0 as usize, header.canvas.1 as usize);
    Ok(Some((Animation { header, cleared: None }, size)))
}

struct Animation<'a> {
    header: Header<'a>,
    /// What is cleared before the next frame.
    cleared: Option<Place>,
}

impl Frames for Animation<'_> {
    fn draw(&mut self, canvas: &mut Canvas, context: &Context<'_>) -> Result<bool, Failure> {
        let Some(frame) = self.header.next_frame(context)? else { return Ok(false) };
        if let Some(place) = self.cleared.take() {
            canvas.clear(place);
        }
        let (width, height) = (frame.size.0 as usize, frame.size.1 as usize);
        let place = Place { x: frame.x, y: frame.y, width, height };
        let pixels = still(&frame, context)?;
        for (y, row) in canvas.rows(place) {
            for (x, pixel) in row.chunks_exact_mut(4).enumerate() {
                let rgba = pixels.at(y * width + x);
                if frame.replaces {
                    pixel.copy_from_slice(&rgba);
                } else {
                    Canvas::blend(pixel, rgba);
                }
            }
        }
        self.cleared = frame.cleared.then_some(place);
        Ok(true)
    }
}

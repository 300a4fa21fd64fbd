//! WebP: lossy, lossless, with alpha, and the first frame of an animation on its canvas (libwebp's anim_decode.c, which
//! is what Pillow's WebPImagePlugin.py reads through).

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::context::Context;
use super::limits::Failure;
use super::{memory, over_white, RgbImage};

const ALPHA_FLAG: u8 = 0x10;
const ANIMATION_FLAG: u8 = 0x02;

impl From<DecodingError> for Failure {
    fn from(error: DecodingError) -> Self {
        match error {
            DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Failure::truncated(),
            other => Failure::unreadable(other),
        }
    }
}

/// One still picture inside the file, and where it belongs on the canvas.
struct Frame<'a> {
    x: usize,
    y: usize,
    size: (u32, u32),
    alpha: Option<&'a [u8]>,
    name: &'a [u8],
    bitstream: &'a [u8],
}

pub(super) fn decode(bytes: &[u8], context: &Context<'_>) -> Result<RgbImage, Failure> {
    let riff = 8 + little_endian(bytes.get(4..8).ok_or_else(Failure::truncated)?);
    let mut chunks = Chunks(bytes.get(12..riff).ok_or_else(Failure::truncated)?);
    let (name, first) = chunks.next()?.ok_or_else(Failure::truncated)?;
    let (canvas, has_alpha, frame) = if name == b"VP8X" {
        let header = first.get(..10).ok_or_else(Failure::truncated)?;
        let canvas = (1 + little_endian(&header[4..7]) as u32, 1 + little_endian(&header[7..10]) as u32);
        context.check(canvas.0.into(), canvas.1.into())?;
        let frame =
            if header[0] & ANIMATION_FLAG == 0 { picture(&mut chunks, (0, 0))? } else { first_frame(&mut chunks)? };
        (canvas, header[0] & ALPHA_FLAG != 0, frame)
    } else {
        let frame = picture(&mut Chunks(&bytes[12..riff]), (0, 0))?;
        let has_alpha = name == b"VP8L" && first.get(4).is_some_and(|byte| byte & 0x10 != 0);
        (frame.size, has_alpha, frame)
    };
    let pixels = context.check(canvas.0.into(), canvas.1.into())?;
    context.check(frame.size.0.into(), frame.size.1.into())?;
    let (width, height) = (frame.size.0 as usize, frame.size.1 as usize);
    if frame.x + width > canvas.0 as usize || frame.y + height > canvas.1 as usize {
        return Err(Failure::unreadable("a frame lies outside the canvas"));
    }
    let data = still(&frame, has_alpha)?;
    let data = if frame.size == canvas {
        data
    } else {
        // Around the first frame the canvas is clear, and black where the file has no alpha at all.
        let mut whole = vec![if has_alpha { 255 } else { 0 }; pixels * 3];
        for (y, row) in data.chunks_exact(width * 3).enumerate() {
            let start = ((frame.y + y) * canvas.0 as usize + frame.x) * 3;
            whole[start..start + row.len()].copy_from_slice(row);
        }
        whole
    };
    Ok(RgbImage { width: canvas.0, height: canvas.1, data })
}

/// Decodes one picture to RGB over white. It is handed on as a minimal file of its own: metadata that is announced but
/// missing, which libwebp forgives and the decoder does not, is then out of the way.
fn still(frame: &Frame<'_>, has_alpha: bool) -> Result<Vec<u8>, Failure> {
    let mut file = Vec::with_capacity(frame.bitstream.len() + frame.alpha.map_or(0, <[u8]>::len) + 64);
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
    let mut decoder = WebPDecoder::new(Cursor::new(&file))?;
    if decoder.dimensions() != frame.size {
        return Err(Failure::unreadable("the sizes of frame and picture differ"));
    }
    let mut data = vec![0; decoder.output_buffer_size().ok_or_else(Failure::truncated)?];
    decoder.read_image(&mut data)?;
    Ok(match (decoder.has_alpha(), has_alpha) {
        (true, true) => over_white::flatten(data),
        (true, false) => data.chunks_exact(4).flat_map(|rgba| [rgba[0], rgba[1], rgba[2]]).collect(),
        (false, _) => data,
    })
}

/// The picture in a sequence of chunks: `VP8 ` with an optional `ALPH` before it, or `VP8L`.
fn picture<'a>(chunks: &mut Chunks<'a>, (x, y): (usize, usize)) -> Result<Frame<'a>, Failure> {
    let mut alpha = None;
    while let Some((name, bitstream)) = chunks.next()? {
        let size = match name {
            b"ALPH" => {
                alpha = alpha.or(Some(bitstream));
                continue;
            }
            b"VP8 " => {
                let header = bitstream.get(..10).ok_or_else(Failure::truncated)?;
                let side = |at: usize| (little_endian(&header[at..at + 2]) & 0x3fff) as u32;
                (side(6), side(8))
            }
            b"VP8L" => {
                alpha = None;
                let header = bitstream.get(..5).ok_or_else(Failure::truncated)?;
                let bits = little_endian(&header[1..5]) as u32;
                ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
            }
            _ => continue,
        };
        return Ok(Frame { x, y, size, alpha, name, bitstream });
    }
    Err(Failure::unreadable("it holds no picture"))
}

fn first_frame<'a>(chunks: &mut Chunks<'a>) -> Result<Frame<'a>, Failure> {
    while let Some((name, data)) = chunks.next()? {
        if name == b"ANMF" {
            let header = data.get(..16).ok_or_else(Failure::truncated)?;
            let number = |at: usize| little_endian(&header[at..at + 3]);
            let frame = picture(&mut Chunks(&data[16..]), (number(0) * 2, number(3) * 2))?;
            if (number(6) + 1, number(9) + 1) != (frame.size.0 as usize, frame.size.1 as usize) {
                return Err(Failure::unreadable("the sizes of frame and picture differ"));
            }
            return Ok(frame);
        }
    }
    Err(Failure::unreadable("the animation has no frame"))
}

/// The chunks of a RIFF body: four letters, a length, the data, a byte of padding after odd lengths.
struct Chunks<'a>(&'a [u8]);

/// Its letters and its data.
type Chunk<'a> = (&'a [u8], &'a [u8]);

impl<'a> Chunks<'a> {
    fn next(&mut self) -> Result<Option<Chunk<'a>>, Failure> {
        if self.0.len() < 8 {
            return Ok(None);
        }
        let (header, rest) = self.0.split_at(8);
        let size = little_endian(&header[4..]);
        let data = rest.get(..size).ok_or_else(Failure::truncated)?;
        self.0 = rest.get(size + size % 2..).unwrap_or_default();
        Ok(Some((&header[..4], data)))
    }
}

fn push_chunk(file: &mut Vec<u8>, name: &[u8], data: &[u8]) {
    file.extend_from_slice(name);
    file.extend_from_slice(&(data.len() as u32).to_le_bytes());
    file.extend_from_slice(data);
    file.resize(file.len() + data.len() % 2, 0);
}

fn little_endian(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | usize::from(byte))
}

/// The EXIF data of the file.
pub(super) fn exif(_bytes: &[u8]) -> Option<&[u8]> {
    None
}

//! The chunks of a WebP file.

use super::super::limits::Failure;

/// One still picture inside the file, and where it belongs on the canvas.
pub(super) struct Frame<'a> {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) size: (u32, u32),
    pub(super) alpha: Option<&'a [u8]>,
    pub(super) name: &'a [u8],
    pub(super) bitstream: &'a [u8],
    /// It is cleared before the next one, and takes the place of what is under it instead of lying over it.
    pub(super) cleared: bool,
    pub(super) replaces: bool,
}

/// The picture in a sequence of chunks: `VP8 ` with an optional `ALPH` before it, or `VP8L`.
pub(super) fn picture<'a>(chunks: &mut Chunks<'a>, (x, y): (usize, usize)) -> Result<Frame<'a>, Failure> {
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
        return Ok(Frame { x, y, size, alpha, name, bitstream, cleared: false, replaces: false });
    }
    Err(Failure::unreadable("it holds no picture"))
}

/// The next frame of an animation; None after the last one.
pub(super) fn next_frame<'a>(chunks: &mut Chunks<'a>) -> Result<Option<Frame<'a>>, Failure> {
    while let Some((name, data)) = chunks.next()? {
        if name == b"ANMF" {
            let header = data.get(..16).ok_or_else(Failure::truncated)?;
            let number = |at: usize| little_endian(&header[at..at + 3]);
            let frame = picture(&mut Chunks(&data[16..]), (number(0) * 2, number(3) * 2))?;
            if (number(6) + 1, number(9) + 1) != (frame.size.0 as usize, frame.size.1 as usize) {
                return Err(Failure::unreadable("the sizes of frame and picture differ"));
            }
            return Ok(Some(Frame { cleared: header[15] & 1 != 0, replaces: header[15] & 2 != 0, ..frame }));
        }
    }
    Ok(None)
}

/// The chunks of a RIFF body: four letters, a length, the data, a byte of padding after odd lengths.
pub(super) struct Chunks<'a>(pub(super) &'a [u8]);

/// Its letters and its data.
pub(super) type Chunk<'a> = (&'a [u8], &'a [u8]);

impl<'a> Chunks<'a> {
    pub(super) fn next(&mut self) -> Result<Option<Chunk<'a>>, Failure> {
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

pub(super) fn push_chunk(file: &mut Vec<u8>, name: &[u8], data: &[u8]) {
    file.extend_from_slice(name);
    file.extend_from_slice(&(data.len() as u32).to_le_bytes());
    file.extend_from_slice(data);
    file.resize(file.len() + data.len() % 2, 0);
}

pub(super) fn little_endian(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | usize::from(byte))
}

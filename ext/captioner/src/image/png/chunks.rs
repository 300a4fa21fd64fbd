//! The chunks of a PNG file that make its pictures, as Pillow finds them: whatever else is in the file is passed over,
//! and no checksum but the header's is looked at.

use super::super::limits::Failure;
use super::super::memory;

/// The chunks that matter.
#[derive(Default)]
pub(super) struct Chunks<'a> {
    pub(super) header: &'a [u8],
    pub(super) palette: &'a [u8],
    pub(super) transparency: Option<&'a [u8]>,
    pub(super) exif: Option<&'a [u8]>,
    pub(super) picture: Vec<&'a [u8]>,
    /// The frames of an animation, the first picture included if it is one of them.
    pub(super) frames: Vec<Frame<'a>>,
    /// The file ends before its end mark.
    pub(super) is_truncated: bool,
}

/// One frame of an animation.
pub(super) struct Frame<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) dispose: u8,
    pub(super) blend: u8,
    /// None if its data is the picture's.
    pub(super) data: Option<Vec<&'a [u8]>>,
}

impl<'a> Chunks<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Failure> {
        let mut chunks = Chunks { is_truncated: true, ..Chunks::default() };
        let mut rest = bytes.get(8..).unwrap_or_default();
        let mut finished = false;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let Some((name, after)) = after.split_first_chunk::<4>() else { break };
            let length = u32::from_be_bytes(*length) as usize;
            let data = &after[..after.len().min(length)];
            if chunks.header.is_empty() {
                header(name, data, after.get(length..length.saturating_add(4)))?;
                chunks.header = data;
            }
            // Data that other chunks interrupt does not go on behind them.
            finished |= !chunks.picture.is_empty() && name != b"IDAT";
            match name {
                b"IDAT" if !finished => chunks.picture.push(data),
                b"PLTE" if chunks.picture.is_empty() => chunks.palette = data,
                b"tRNS" if chunks.picture.is_empty() => chunks.transparency = Some(data),
                b"eXIf" => chunks.exif = chunks.exif.or(Some(data)),
                b"fcTL" => chunks.frames.extend(Frame::read(data, chunks.picture.is_empty())),
                b"fdAT" => {
                    if let Some(Frame { data: Some(parts), .. }) = chunks.frames.last_mut() {
                        parts.extend(data.get(4..));
                    }
                }
                b"IEND" => {
                    chunks.is_truncated = false;
                    break;
                }
                _ => {}
            }
            rest = after.get(length.saturating_add(4)..).unwrap_or_default();
        }
        if chunks.header.is_empty() {
            return Err(Failure::truncated());
        }
        Ok(chunks)
    }

    /// A file of nothing but one picture of this size.
    pub(super) fn file(&self, width: u32, height: u32, picture: &[&[u8]]) -> Result<Vec<u8>, Failure> {
        let size: usize = picture.iter().map(|part| part.len() + 12).sum();
        let mut file = memory::room(size + 128)?;
        file.extend_from_slice(b"\x89PNG\r\n\x1a\n");
        let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &self.header[8..13]].concat();
        push(&mut file, b"IHDR", &header);
        if self.header[9] == 3 {
            // Rows stay indices, so any palette will do.
            push(&mut file, b"PLTE", &[0; 3]);
        }
        picture.iter().for_each(|part| push(&mut file, b"IDAT", part));
        push(&mut file, b"IEND", b"");
        Ok(file)
    }
}

/// A chunk whose checksum nobody looks at.
fn push(file: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    file.extend_from_slice(&(data.len() as u32).to_be_bytes());
    file.extend_from_slice(name);
    file.extend_from_slice(data);
    file.extend_from_slice(&[0; 4]);
}

/// Checks the first chunk.
fn header(name: &[u8; 4], data: &[u8], checksum: Option<&[u8]>) -> Result<(), Failure> {
    let checksum = checksum.ok_or_else(Failure::truncated)?;
    if name != b"IHDR" || data.len() != 13 {
        return Err(Failure::unreadable("its header is missing"));
    }
    if checksum != crc([name.as_slice(), data].concat()).to_be_bytes() {
        return Err(Failure::unreadable("the checksum of its header is wrong"));
    }
    Ok(())
}

fn crc(bytes: Vec<u8>) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

impl Frame<'_> {
    fn read(data: &[u8], is_picture: bool) -> Option<Self> {
        let number = |at: usize| Some(u32::from_be_bytes(*data.get(at..at + 4)?.first_chunk()?));
        Some(Frame {
            width: number(4)?,
            height: number(8)?,
            x: number(12)?,
            y: number(16)?,
            dispose: *data.get(24)?,
            blend: *data.get(25)?,
            data: if is_picture { None } else { Some(Vec::new()) },
        })
    }
}

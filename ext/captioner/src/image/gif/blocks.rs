//! The blocks of a GIF file, as Pillow reads them.

use super::super::limits::Failure;

/// Colours by index.
pub(super) type Palette = Box<[[u8; 3]; 256]>;

/// What precedes the pixels of a frame.
pub(super) struct Frame {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) interlaced: bool,
    pub(super) code_bits: u8,
    pub(super) transparent: Option<u8>,
    /// What becomes of it before the next frame: 2 it is cleared, 3 what was there comes back.
    pub(super) disposal: u8,
    pub(super) palette: Option<Palette>,
}

/// A position in the file.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the screen's size, behind the signature.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 6 }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Failure> {
        let taken = self.bytes.get(self.at..self.at + count).ok_or_else(Failure::truncated)?;
        self.at += count;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Failure> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u16(&mut self) -> Result<usize, Failure> {
        Ok(self.take(2)?.iter().rev().fold(0, |value, &byte| value << 8 | usize::from(byte)))
    }

    /// A block: its length in one byte, then its data.
    pub(super) fn block(&mut self) -> Result<&'a [u8], Failure> {
        let count = usize::from(self.u8()?);
        self.take(count)
    }

    /// Passes all blocks up to an empty one.
    pub(super) fn pass(&mut self) -> Result<(), Failure> {
        while !self.block()?.is_empty() {}
        Ok(())
    }

    /// Walks on to the next image and stops at its compressed pixels. None at the end mark.
    pub(super) fn frame(&mut self) -> Result<Option<Frame>, Failure> {
        let (mut transparent, mut disposal) = (None, 0);
        loop {
            match self.u8()? {
                b'!' => {
                    let label = self.u8()?;
                    let block = self.block()?;
                    if label == 0xf9 {
                        let &[flags, _, _, index, ..] = block else {
                            return Err(Failure::unreadable("a control block is too short"));
                        };
                        disposal = flags >> 2 & 7;
                        if flags & 1 != 0 {
                            transparent = Some(index);
                        }
                    }
                    // A comment may be empty; for other labels Pillow looks for one more block in any case.
                    if label != 0xfe || !block.is_empty() {
                        self.pass()?;
                    }
                }
                b',' => {
                    let (left, top, width, height) = (self.u16()?, self.u16()?, self.u16()?, self.u16()?);
                    let flags = self.u8()?;
                    let palette = match flags & 0x80 {
                        0 => None,
                        _ => Some(palette(self.take(6 << (flags & 7))?)),
                    };
                    let (interlaced, code_bits) = (flags & 0x40 != 0, self.u8()?);
                    return Ok(Some(Frame {
                        left,
                        top,
                        width,
                        height,
                        interlaced,
                        code_bits,
                        transparent,
                        disposal,
                        palette,
                    }));
                }
                b';' => return Ok(None),
                _ => {}
            }
        }
    }
}

/// Colours by index. A palette that only counts up is Pillow's grey, in which every index has a colour; in any other
/// palette the indices beyond its end are black.
pub(super) fn palette(bytes: &[u8]) -> Palette {
    let counts_up = bytes.chunks_exact(3).enumerate().all(|(i, rgb)| rgb == [i as u8; 3]);
    if counts_up {
        return grey();
    }
    let mut colours = Box::new([[0; 3]; 256]);
    for (colour, rgb) in colours.iter_mut().zip(bytes.chunks_exact(3)) {
        colour.copy_from_slice(rgb);
    }
    colours
}

pub(super) fn grey() -> Palette {
    let mut colours = Box::new([[0; 3]; 256]);
    for (value, colour) in colours.iter_mut().enumerate() {
        *colour = [value as u8; 3];
    }
    colours
}

//! The first frame of a GIF on its canvas, as Pillow shows it (GifImagePlugin.py, libImaging/GifDecode.c).

use super::context::Context;
use super::limits::Failure;
use super::{memory, RgbImage};

/// Codes have at most twelve bits.
const TABLE: usize = 4096;

/// What precedes the pixels of the first frame.
struct Frame {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    interlaced: bool,
    code_bits: u8,
    transparent: Option<u8>,
}

pub(super) fn decode(bytes: &[u8], context: &Context<'_>) -> Result<RgbImage, Failure> {
    let mut input = Reader { bytes, at: 6 };
    let (mut width, mut height) = (input.u16()?, input.u16()?);
    context.check(width.max(1) as u64, height.max(1) as u64)?;
    let flags = input.take(3)?[0];
    let mut colours = if flags & 0x80 != 0 { palette(input.take(6 << (flags & 7))?) } else { grey() };
    let frame = first_frame(&mut input, &mut colours)?;
    // A frame that reaches beyond the screen enlarges it.
    width = width.max(frame.left + frame.width);
    height = height.max(frame.top + frame.height);
    let pixels = context.check(width as u64, height as u64)?;
    if frame.width == 0 || frame.height == 0 {
        return Err(Failure::unreadable("its first frame is empty"));
    }
    let mut canvas = vec![frame.transparent.unwrap_or(0); pixels];
    unpack(input, &frame, &mut canvas, width)?;
    if let Some(index) = frame.transparent {
        colours[usize::from(index)] = [255; 3];
    }
    let data = canvas.iter().flat_map(|&index| colours[usize::from(index)]).collect();
    Ok(RgbImage { width: width as u32, height: height as u32, data })
}

/// Walks the blocks up to the first image and leaves the reader at its compressed pixels.
fn first_frame(input: &mut Reader<'_>, colours: &mut Box<[[u8; 3]; 256]>) -> Result<Frame, Failure> {
    let mut transparent = None;
    loop {
        match input.u8()? {
            b'!' => {
                let label = input.u8()?;
                let block = input.block()?;
                if label == 0xf9 {
                    let &[flags, _, _, index, ..] = block else {
                        return Err(Failure::unreadable("a control block is too short"));
                    };
                    if flags & 1 != 0 {
                        transparent = Some(index);
                    }
                }
                // A comment may be empty; for other labels Pillow looks for one more block in any case.
                if label != 0xfe || !block.is_empty() {
                    while !input.block()?.is_empty() {}
                }
            }
            b',' => {
                let (left, top, width, height) = (input.u16()?, input.u16()?, input.u16()?, input.u16()?);
                let flags = input.u8()?;
                if flags & 0x80 != 0 {
                    *colours = palette(input.take(6 << (flags & 7))?);
                }
                let interlaced = flags & 0x40 != 0;
                return Ok(Frame { left, top, width, height, interlaced, code_bits: input.u8()?, transparent });
            }
            b';' => return Err(Failure::unreadable("it holds no picture")),
            _ => {}
        }
    }
}

/// Colours by index. A palette that only counts up is Pillow's grey, in which every index has a colour; in any other
/// palette the indices beyond its end are black.
fn palette(bytes: &[u8]) -> Box<[[u8; 3]; 256]> {
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

fn grey() -> Box<[[u8; 3]; 256]> {
    let mut colours = Box::new([[0; 3]; 256]);
    for (value, colour) in colours.iter_mut().enumerate() {
        *colour = [value as u8; 3];
    }
    colours
}

/// LZW into the frame's place on the canvas.
fn unpack(mut input: Reader<'_>, frame: &Frame, canvas: &mut [u8], stride: usize) -> Result<(), Failure> {
    if frame.code_bits > 12 {
        return Err(Failure::unreadable("its code size is out of range"));
    }
    let broken = || Failure::unreadable("its compressed data is broken");
    let mut target = Target { frame, canvas, stride, x: 0, y: 0, step: if frame.interlaced { 8 } else { 1 } };
    let clear = 1usize << frame.code_bits;
    let end = clear + 1;
    let (mut suffix, mut prefix) = (vec![0u8; TABLE], vec![0u16; TABLE]);
    let mut text = Vec::with_capacity(TABLE);
    let (mut next, mut code_size) = (clear + 2, u32::from(frame.code_bits) + 1);
    let mut last: Option<(usize, u8)> = None;
    let (mut bits, mut bit_count) = (0u32, 0u32);
    let mut block: &[u8] = &[];
    loop {
        while bit_count < code_size {
            while block.is_empty() {
                block = input.block()?;
            }
            bits |= u32::from(block[0]) << bit_count;
            block = &block[1..];
            bit_count += 8;
        }
        let code = (bits & ((1 << code_size) - 1)) as usize;
        bits >>= code_size;
        bit_count -= code_size;
        if code == clear {
            (next, code_size, last) = (clear + 2, u32::from(frame.code_bits) + 1, None);
            continue;
        }
        if code == end {
            return Err(Failure::unreadable("its pixels end too early"));
        }
        text.clear();
        match last {
            None if code > clear => return Err(broken()),
            None => {
                text.push(code as u8);
                last = Some((code, code as u8));
            }
            Some((last_code, last_first)) => {
                if code > next {
                    return Err(broken());
                }
                let mut at = code;
                if code == next {
                    text.push(last_first);
                    at = last_code;
                }
                while at >= clear {
                    if at >= TABLE || text.len() >= TABLE {
                        return Err(broken());
                    }
                    text.push(suffix[at]);
                    at = usize::from(prefix[at]);
                }
                let first = at as u8;
                text.push(first);
                if next < TABLE {
                    (suffix[next], prefix[next]) = (first, last_code as u16);
                    if next + 1 == 1 << code_size && code_size < 12 {
                        code_size += 1;
                    }
                    next += 1;
                }
                last = Some((code, first));
            }
        }
        for &index in text.iter().rev() {
            if target.put(index) {
                return Ok(());
            }
        }
    }
}

/// Where the next pixel goes.
struct Target<'a> {
    frame: &'a Frame,
    canvas: &'a mut [u8],
    stride: usize,
    x: usize,
    y: usize,
    step: usize,
}

impl Target<'_> {
    /// Sets one pixel; true after the last one.
    fn put(&mut self, index: u8) -> bool {
        let frame = self.frame;
        self.canvas[(frame.top + self.y) * self.stride + frame.left + self.x] = index;
        self.x += 1;
        if self.x < frame.width {
            return false;
        }
        self.x = 0;
        self.y += self.step;
        // The passes of an interlaced frame: every 8th row from 0, then from 4, every 4th from 2, every 2nd from 1.
        while self.y >= frame.height && frame.interlaced {
            (self.y, self.step) = match (self.step, self.y % 8) {
                (8, 0) => (4, 8),
                (8, _) => (2, 4),
                (4, _) => (1, 2),
                _ => return true,
            };
        }
        self.y >= frame.height
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Failure> {
        let taken = self.bytes.get(self.at..self.at + count).ok_or_else(Failure::truncated)?;
        self.at += count;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Failure> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<usize, Failure> {
        Ok(self.take(2)?.iter().rev().fold(0, |value, &byte| value << 8 | usize::from(byte)))
    }

    /// A block: its length in one byte, then its data.
    fn block(&mut self) -> Result<&'a [u8], Failure> {
        let count = usize::from(self.u8()?);
        self.take(count)
    }
}

//! Compressed indices to their places.

use super::super::context::Context;
use super::super::limits::Failure;
use super::blocks::{Frame, Reader};

/// Codes have at most twelve bits.
const TABLE: usize = 4096;
/// Codes between two looks at the wish to stop.
const CODES_AT_ONCE: usize = 1 << 14;

/// LZW into the frame's place on the canvas.
pub(super) fn unpack(
    input: Reader<'_>,
    frame: &Frame,
    canvas: &mut [u8],
    stride: usize,
    context: &Context<'_>,
) -> Result<(), Failure> {
    if frame.code_bits > 12 {
        return Err(Failure::unreadable("its code size is out of range"));
    }
    let mut target = Target { frame, canvas, stride, x: 0, y: 0, step: if frame.interlaced { 8 } else { 1 } };
    let (mut codes, mut table) = (Codes::new(input), Table::new(frame.code_bits));
    let mut text = Vec::with_capacity(TABLE);
    for count in 0usize.. {
        if count % CODES_AT_ONCE == 0 {
            context.go_on()?;
        }
        match codes.next(table.code_size)? {
            code if code == table.clear => table.empty(),
            code if code == table.clear + 1 => return Err(Failure::unreadable("its pixels end too early")),
            code => {
                if !table.spell(code, &mut text) {
                    return Err(Failure::unreadable("its compressed data is broken"));
                }
                for &index in text.iter().rev() {
                    if target.put(index) {
                        return Ok(());
                    }
                }
            }
        }
    }
    Ok(())
}

/// Codes, lowest bits first, across blocks.
struct Codes<'a> {
    input: Reader<'a>,
    block: &'a [u8],
    bits: u32,
    bit_count: u32,
}

impl<'a> Codes<'a> {
    fn new(input: Reader<'a>) -> Self {
        Self { input, block: &[], bits: 0, bit_count: 0 }
    }

    fn next(&mut self, size: u32) -> Result<usize, Failure> {
        while self.bit_count < size {
            while self.block.is_empty() {
                self.block = self.input.block()?;
            }
            self.bits |= u32::from(self.block[0]) << self.bit_count;
            self.block = &self.block[1..];
            self.bit_count += 8;
        }
        let code = (self.bits & ((1 << size) - 1)) as usize;
        self.bits >>= size;
        self.bit_count -= size;
        Ok(code)
    }
}

/// What codes stand for: one index, or what another code stands for and one index more.
struct Table {
    suffix: Vec<u8>,
    prefix: Vec<u16>,
    /// Empties the table; the code after it ends the pixels.
    clear: usize,
    next: usize,
    code_size: u32,
    /// The code before this one, and the first index that it stands for.
    last: Option<(usize, u8)>,
}

impl Table {
    fn new(code_bits: u8) -> Self {
        let (clear, code_size) = (1 << code_bits, u32::from(code_bits) + 1);
        Self { suffix: vec![0; TABLE], prefix: vec![0; TABLE], clear, next: clear + 2, code_size, last: None }
    }

    fn empty(&mut self) {
        (self.next, self.code_size, self.last) = (self.clear + 2, self.clear.ilog2() + 1, None);
    }

    /// The indices of a code, last first, into `text`; false for a code that cannot stand here.
    fn spell(&mut self, code: usize, text: &mut Vec<u8>) -> bool {
        text.clear();
        let Some((last_code, last_first)) = self.last else {
            text.push(code as u8);
            self.last = Some((code, code as u8));
            return code < self.clear;
        };
        if code > self.next {
            return false;
        }
        let mut at = code;
        if code == self.next {
            text.push(last_first);
            at = last_code;
        }
        while at >= self.clear {
            if at >= TABLE || text.len() >= TABLE {
                return false;
            }
            text.push(self.suffix[at]);
            at = usize::from(self.prefix[at]);
        }
        let first = at as u8;
        text.push(first);
        self.add(last_code, first);
        self.last = Some((code, first));
        true
    }

    fn add(&mut self, prefix: usize, suffix: u8) {
        if self.next >= TABLE {
            return;
        }
        (self.suffix[self.next], self.prefix[self.next]) = (suffix, prefix as u16);
        if self.next + 1 == 1 << self.code_size && self.code_size < 12 {
            self.code_size += 1;
        }
        self.next += 1;
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

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
    mut input: Reader<'_>,
    frame: &Frame,
    canvas: &mut [u8],
    stride: usize,
    context: &Context<'_>,
) -> Result<(), Failure> {
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
    for count in 0usize.. {
        if count % CODES_AT_ONCE == 0 {
            context.go_on()?;
        }
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
    Ok(())
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

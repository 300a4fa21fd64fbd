//! Run lengths of 4 and 8 bits (BmpImagePlugin.BmpRleDecoder).

use super::super::limits::Failure;
use super::super::memory;

/// Palette indices, rows in the order of the file. `offset` is where `source` begins in the file: literal runs are
/// aligned to even positions of the file.
pub(super) fn unpack(
    source: &[u8],
    offset: usize,
    width: usize,
    height: usize,
    four_bits: bool,
) -> Result<Vec<u8>, Failure> {
    let size = width * height;
    let mut out: Vec<u8> = memory::room(size + width + 256)?;
    let mut x = 0;
    let mut at = 0;
    while out.len() < size {
        let Some(&[count, value]) = source.get(at..at + 2) else { break };
        at += 2;
        match (count, value) {
            (0, 0) => {
                out.resize(out.len().next_multiple_of(width), 0);
                x = 0;
            }
            (0, 1) => break,
            (0, 2) => {
                let Some(&[right, up]) = source.get(at..at + 2) else { break };
                at += 2;
                let skipped = usize::from(right) + usize::from(up) * width;
                out.resize(size.min(out.len() + skipped), 0);
                x = out.len() % width;
            }
            (0, count) => {
                let pixels = usize::from(count).min(size - out.len());
                let used = if four_bits { pixels.div_ceil(2) } else { pixels };
                let Some(run) = source.get(at..at + used) else { break };
                at += used;
                if four_bits {
                    out.extend(run.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(pixels));
                } else {
                    out.extend_from_slice(run);
                }
                x += usize::from(count);
                at += (offset + at) % 2;
            }
            (count, value) => {
                // A run ends with its row.
                let pixels = usize::from(count).min(width.saturating_sub(x));
                let pair = if four_bits { [value >> 4, value & 15] } else { [value; 2] };
                out.extend(pair.iter().cycle().take(pixels));
                x += pixels;
            }
        }
    }
    if out.len() < size {
        return Err(Failure::truncated());
    }
    out.truncate(size);
    Ok(out)
}

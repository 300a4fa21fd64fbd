//! Compressed strips and tiles to rows.

use std::io::Read;

use flate2::read::ZlibDecoder;
use weezl::{decode::Decoder, BitOrder, LzwStatus};

use super::super::context::Context;
use super::super::limits::Failure;
use super::super::memory;

/// Bytes unpacked between two looks at the wish to stop.
const AT_ONCE: usize = 1 << 16;

/// The first `size` bytes of what `packed` unpacks to.
pub(super) fn unpack(
    packed: &[u8],
    compression: usize,
    size: usize,
    context: &Context<'_>,
) -> Result<Vec<u8>, Failure> {
    let named = |name: &str| Err(Failure::unreadable(format!("{name} compression is not supported in it")));
    match compression {
        1 => {
            let mut out = memory::room(size)?;
            out.extend_from_slice(packed.get(..size).ok_or_else(Failure::truncated)?);
            Ok(out)
        }
        2..=4 => named("fax"),
        5 => lzw(packed, memory::filled(0, size)?, context),
        6 | 7 => named("JPEG"),
        8 | 32946 => inflate(packed, memory::filled(0, size)?, context),
        32773 => pack_bits(packed, size),
        50000 => named("Zstandard"),
        50001 => named("WebP"),
        34925 => named("LZMA"),
        other => named(&format!("its ({other})")),
    }
}

fn lzw(mut packed: &[u8], mut out: Vec<u8>, context: &Context<'_>) -> Result<Vec<u8>, Failure> {
    let mut decoder = Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
    let mut done = 0;
    while done < out.len() {
        context.go_on()?;
        let end = out.len().min(done + AT_ONCE);
        let step = decoder.decode_bytes(packed, &mut out[done..end]);
        packed = &packed[step.consumed_in..];
        done += step.consumed_out;
        match step.status {
            Ok(LzwStatus::Ok) => {}
            Ok(LzwStatus::NoProgress | LzwStatus::Done) if done < out.len() => return Err(Failure::truncated()),
            Ok(_) => break,
            Err(_) => return Err(Failure::unreadable("its compressed data is broken")),
        }
    }
    Ok(out)
}

fn inflate(packed: &[u8], mut out: Vec<u8>, context: &Context<'_>) -> Result<Vec<u8>, Failure> {
    let mut decoder = ZlibDecoder::new(packed);
    for part in out.chunks_mut(AT_ONCE) {
        context.go_on()?;
        decoder.read_exact(part).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Failure::truncated(),
            _ => Failure::unreadable("its compressed data is broken"),
        })?;
    }
    Ok(out)
}

/// Runs and literals, told apart by a signed length.
fn pack_bits(mut packed: &[u8], size: usize) -> Result<Vec<u8>, Failure> {
    let mut out = memory::room(size + 128)?;
    while out.len() < size {
        let (&length, rest) = packed.split_first().ok_or_else(Failure::truncated)?;
        packed = rest;
        match usize::from(length) {
            length @ 0..=127 => {
                out.extend_from_slice(packed.get(..length + 1).ok_or_else(Failure::truncated)?);
                packed = &packed[length + 1..];
            }
            128 => {}
            length => {
                let (&value, rest) = packed.split_first().ok_or_else(Failure::truncated)?;
                packed = rest;
                out.resize(out.len() + 257 - length, value);
            }
        }
    }
    out.truncate(size);
    Ok(out)
}

/// Differences to the samples that lie `together` before, summed up.
pub(super) fn sum(row: &mut [u8], together: usize, bits: usize, big: bool) {
    if bits == 8 {
        (together..row.len()).for_each(|i| row[i] = row[i].wrapping_add(row[i - together]));
        return;
    }
    let read = |row: &[u8], i: usize| match big {
        true => u16::from_be_bytes([row[i * 2], row[i * 2 + 1]]),
        false => u16::from_le_bytes([row[i * 2], row[i * 2 + 1]]),
    };
    for i in together..row.len() / 2 {
        let value = read(row, i).wrapping_add(read(row, i - together));
        row[i * 2..i * 2 + 2].copy_from_slice(&if big { value.to_be_bytes() } else { value.to_le_bytes() });
    }
}

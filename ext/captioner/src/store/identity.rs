//! What tells checkpoints apart: their content, never their dates, which copies and image builders set as they like.
//!
//! ```text
//! every *.json           its bytes
//! every *.safetensors    its length, its header, and windows into each tensor: at its ends and in the middle of each MiB
//!
//! tensor of 2.5 MiB      [##.....##.......|.......##.......|.......##.....##]      ## a page of 4 KiB that is hashed
//! ```
//!
//! Cheap, because some thousand pages are read in a small part of a second, where all bytes of a large checkpoint take several.
//! Right, because training changes nearly every value of a tensor that it changes at all, and every tensor is looked at, those
//! of up to three pages as a whole; a checkpoint that is copied, or unpacked from an archive, stays what it was. Whoever edits
//! single rows of a large tensor in place has to remove the packed file: they may lie between the windows.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::hex;
use crate::{Error, Result};

/// Bytes of a tensor that one window stands for.
const PIECE: u64 = 1 << 20;
/// Bytes that are hashed of each piece: fewer would cost as much to read.
const WINDOW: u64 = 4096;
/// The largest header that the format allows.
const LONGEST_HEADER: u64 = 100_000_000;

/// The identity of the checkpoint in `dir`: 16 hexadecimal digits.
///
/// # Errors
/// Those of reading its files.
pub fn of_folder(dir: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .map_err(|error| Error::reading(dir, &error))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file() && (is(path, "json") || is(path, "safetensors")))
        .collect();
    files.sort();
    for path in files {
        add(&mut hash, &path).map_err(|error| Error::reading(&path, &error))?;
    }
    Ok(hex(&hash.finalize()[..8]))
}

fn is(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension == wanted)
}

fn add(hash: &mut Sha256, path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
    hash.update(length.to_le_bytes());
    if is(path, "json") {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        hash.update(bytes);
        return Ok(());
    }
    let Some((header, start)) = header(&file, length)? else {
        // No safetensors file: loading will say so.
        return part(hash, &file, 0, length.min(PIECE));
    };
    hash.update(&header);
    for (from, to) in tensors(&header, length - start) {
        for (from, to) in windows(from, to) {
            part(hash, &file, start + from, to - from)?;
        }
    }
    Ok(())
}

/// The header's bytes and where the data starts, unless the file cannot have one.
fn header(file: &File, length: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
    let mut size = [0; 8];
    if length < 8 {
        return Ok(None);
    }
    file.read_exact_at(&mut size, 0)?;
    let size = u64::from_le_bytes(size);
    if size > LONGEST_HEADER.min(length - 8) {
        return Ok(None);
    }
    let mut header = vec![0; usize::try_from(size).unwrap_or(0)];
    file.read_exact_at(&mut header, 8)?;
    Ok(Some((header, 8 + size)))
}

/// Where each tensor lies in the data, in order; what does not lie in it is left out.
fn tensors(header: &[u8], data: u64) -> Vec<(u64, u64)> {
    let Ok(Value::Object(entries)) = serde_json::from_slice::<Value>(header) else { return Vec::new() };
    let mut ranges: Vec<(u64, u64)> = entries
        .values()
        .filter_map(|entry| Some((entry["data_offsets"][0].as_u64()?, entry["data_offsets"][1].as_u64()?)))
        .filter(|&(from, to)| from < to && to <= data)
        .collect();
    ranges.sort_unstable();
    ranges
}

/// The ends of a range, and the middle of each of the equal pieces that it is cut into.
fn windows(from: u64, to: u64) -> Vec<(u64, u64)> {
    let pieces = (to - from).div_ceil(PIECE);
    let piece = (to - from).div_ceil(pieces);
    let middles = (0..pieces).map(|index| from + index * piece + piece.saturating_sub(WINDOW) / 2);
    let last = to.saturating_sub(WINDOW).max(from);
    let starts = std::iter::once(from).chain(middles).chain(std::iter::once(last));
    starts.map(|start| (start.min(last), (start.min(last) + WINDOW).min(to))).collect()
}

fn part(hash: &mut Sha256, file: &File, at: u64, length: u64) -> io::Result<()> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, at)?;
    hash.update(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_at_the_ends_and_in_the_middle_of_every_piece() {
        assert_eq!(windows(10, 12), [(10, 12); 3]);
        assert_eq!(windows(0, 3 * WINDOW), [0, WINDOW, 2 * WINDOW].map(|start| (start, start + WINDOW)));
        let (from, to) = (5, 5 + 2 * PIECE + 9);
        let large = windows(from, to);
        assert_eq!((large.len(), large[0].0, large[4].1), (5, from, to));
        assert!(large.iter().all(|(start, end)| end - start == WINDOW));
        assert!(large.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    }

    #[test]
    fn offsets_outside_the_data_are_passed_over() {
        let header = br#"{"__metadata__":{"a":"b"},"x":{"data_offsets":[4,8]},"y":{"data_offsets":[0,4]},
            "z":{"data_offsets":[8,99]},"w":{"data_offsets":[3,1]},"v":{"data_offsets":"no"}}"#;
        assert_eq!(tensors(header, 8), [(0, 4), (4, 8)]);
        assert!(tensors(b"[", 8).is_empty() && tensors(b"7", 8).is_empty());
    }
}

//! How a camera was held, and the picture turned upright.

use super::memory::{self, OutOfMemory};
use super::RgbImage;

/// The EXIF tag.
const TAG: u16 = 0x0112;

/// The value of the orientation tag, 1 to 8, in the EXIF data of a file: a TIFF header and its first directory, after
/// `Exif` and two zeros where the container adds them. None if there is none or the data is broken.
pub(super) fn read(exif: &[u8]) -> Option<u8> {
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let big = match tiff.get(..4)? {
        b"MM\0*" => true,
        b"II*\0" => false,
        _ => return None,
    };
    let number = |at: usize, size: usize| -> Option<usize> {
        let bytes = tiff.get(at..at.checked_add(size)?)?;
        let fold = |value: usize, byte: &u8| value << 8 | usize::from(*byte);
        Some(if big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    };
    let directory = number(4, 4)?;
    let entries = number(directory, 2)?;
    let entry = (0..entries).map(|i| directory + 2 + i * 12).find(|&at| number(at, 2) == Some(TAG.into()))?;
    // Bytes, shorts and longs all begin where the entry keeps its value.
    let size = match number(entry + 2, 2)? {
        1 => 1,
        3 => 2,
        4 => 4,
        _ => return None,
    };
    u8::try_from(number(entry + 8, size)?).ok().filter(|value| (1..=8).contains(value))
}

/// Turns and mirrors the picture so that it stands upright.
pub(super) fn apply(mut image: RgbImage, orientation: u8) -> Result<RgbImage, OutOfMemory> {
    let row = image.width as usize * 3;
    if row == 0 {
        return Ok(image);
    }
    match orientation {
        2 => image.data.chunks_exact_mut(row).for_each(mirror),
        3 => mirror(&mut image.data),
        4 => {
            mirror(&mut image.data);
            image.data.chunks_exact_mut(row).for_each(mirror);
        }
        5 => return transposed(&image, false, false),
        6 => return transposed(&image, false, true),
        7 => return transposed(&image, true, true),
        8 => return transposed(&image, true, false),
        _ => {}
    }
    Ok(image)
}

/// The order of the pixels reversed.
fn mirror(pixels: &mut [u8]) {
    let count = pixels.len() / 3;
    let (left, right) = pixels.split_at_mut(count / 2 * 3);
    for (one, other) in left.chunks_exact_mut(3).zip(right.rchunks_exact_mut(3)) {
        one.swap_with_slice(other);
    }
}

/// Rows from columns: the columns are taken from the right if `right`, and read upwards if `up`.
fn transposed(image: &RgbImage, right: bool, up: bool) -> Result<RgbImage, OutOfMemory> {
    /// Columns that are turned together, so that each cache line of the source is fetched once.
    const TOGETHER: usize = 16;
    let (width, height) = (image.width as usize, image.height as usize);
    let mut data = memory::filled(0, image.data.len())?;
    for first in (0..width).step_by(TOGETHER) {
        for y in 0..height {
            for x in first..width.min(first + TOGETHER) {
                let to = (if right { width - 1 - x } else { x }) * height + if up { height - 1 - y } else { y };
                let from = (y * width + x) * 3;
                data[to * 3..to * 3 + 3].copy_from_slice(&image.data[from..from + 3]);
            }
        }
    }
    Ok(RgbImage { width: image.height, height: image.width, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three columns and two rows of pixels named by letters.
    fn turned(orientation: u8) -> (u32, String) {
        let data = b"abcdef".iter().flat_map(|&letter| [letter, letter, letter]).collect();
        let image = apply(RgbImage { width: 3, height: 2, data }, orientation).unwrap();
        (image.width, image.data.chunks_exact(3).map(|pixel| char::from(pixel[0])).collect())
    }

    /// The stored rows and columns as the EXIF standard names their sides.
    #[test]
    fn every_orientation() {
        for (orientation, width, expected) in [
            (1, 3, "abcdef"),
            (2, 3, "cbafed"),
            (3, 3, "fedcba"),
            (4, 3, "defabc"),
            (5, 2, "adbecf"),
            (6, 2, "daebfc"),
            (7, 2, "fcebda"),
            (8, 2, "cfbead"),
        ] {
            assert_eq!(turned(orientation), (width, expected.to_string()), "{orientation}");
        }
    }

    fn exif(big: bool, kind: u16, value: [u8; 4]) -> Vec<u8> {
        let number = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut data = if big { b"MM\0*\0\0\0\x08".to_vec() } else { b"II*\0\x08\0\0\0".to_vec() };
        data.extend(number(2));
        for (tag, value) in [(0x0100, [9; 4]), (TAG, value)] {
            data.extend([number(tag), number(kind)].concat());
            data.extend(if big { [0, 0, 0, 1] } else { [1, 0, 0, 0] });
            data.extend(value);
        }
        data
    }

    #[test]
    fn both_byte_orders_with_and_without_the_name() {
        for data in [exif(true, 3, [0, 6, 0, 0]), exif(false, 3, [6, 0, 0, 0]), exif(true, 4, [0, 0, 0, 6])] {
            assert_eq!(read(&data), Some(6));
            assert_eq!(read(&[b"Exif\0\0", data.as_slice()].concat()), Some(6));
        }
    }

    #[test]
    fn what_says_nothing() {
        assert_eq!(read(b""), None);
        assert_eq!(read(&exif(true, 3, [0, 9, 0, 0])), None);
        assert_eq!(read(&exif(true, 2, [0, 6, 0, 0])), None);
        let whole = exif(false, 3, [6, 0, 0, 0]);
        (0..whole.len() - 2).for_each(|end| assert_eq!(read(&whole[..end]), None, "{end}"));
        assert_eq!(read(b"II*\0\xff\xff\xff\xff"), None);
    }
}

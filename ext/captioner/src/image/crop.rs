//! Parts of an image.

use std::ops::Range;

use super::memory::{self, OutOfMemory};
use super::RgbImage;
use crate::error::{Error, Result};

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Columns to the left of it.
    pub x: u32,
    /// Rows above it.
    pub y: u32,
    /// Its columns.
    pub width: u32,
    /// Its rows.
    pub height: u32,
}

impl Region {
    /// All of an image of this size.
    pub fn whole(width: u32, height: u32) -> Self {
        Region { x: 0, y: 0, width, height }
    }

    /// Its columns and rows, if it holds pixels and lies inside an image of this size.
    pub(super) fn inside(self, width: u32, height: u32) -> Result<(Range<usize>, Range<usize>)> {
        let span = |from: u32, count: u32, size: u32| match from.checked_add(count) {
            Some(end) if count > 0 && end <= size => Some(from as usize..end as usize),
            _ => None,
        };
        span(self.x, self.width, width).zip(span(self.y, self.height, height)).ok_or_else(|| {
            Error::InvalidArgument(format!(
                "a region of {}x{} pixels at {},{} is not inside an image of {width}x{height}",
                self.width, self.height, self.x, self.y
            ))
        })
    }
}

/// A copy of the pixels in `region`.
///
/// # Errors
/// `InvalidArgument` if the region is empty or reaches beyond the image; `ImageTooLarge` if there is no memory for it.
pub fn crop(image: &RgbImage, region: Region) -> Result<RgbImage> {
    let (columns, rows) = region.inside(image.width, image.height)?;
    let data = rectangle(image, columns, rows)?;
    Ok(RgbImage { width: region.width, height: region.height, data })
}

/// The bytes of some columns of some rows.
pub(super) fn rectangle(
    image: &RgbImage,
    columns: Range<usize>,
    rows: Range<usize>,
) -> std::result::Result<Vec<u8>, OutOfMemory> {
    let mut data = memory::room(columns.len() * rows.len() * 3)?;
    for row in image.data.chunks_exact(image.width as usize * 3).take(rows.end).skip(rows.start) {
        data.extend_from_slice(&row[columns.start * 3..columns.end * 3]);
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four columns, three rows; a pixel is its column, its row and 9.
    fn image() -> RgbImage {
        let data = (0..12).flat_map(|at| [at % 4, at / 4, 9]).collect();
        RgbImage { width: 4, height: 3, data }
    }

    #[test]
    fn a_part_and_the_whole() {
        let part = crop(&image(), Region { x: 1, y: 1, width: 2, height: 2 }).unwrap();
        assert_eq!((part.width, part.height), (2, 2));
        assert_eq!(part.data, [1, 1, 9, 2, 1, 9, 1, 2, 9, 2, 2, 9]);
        assert_eq!(crop(&image(), Region::whole(4, 3)).unwrap(), image());
    }

    #[test]
    fn what_lies_outside_is_refused() {
        for (x, y, width, height) in [(0, 0, 5, 1), (4, 0, 1, 1), (0, 2, 1, 2), (0, 0, 0, 1), (1, 1, u32::MAX, 1)] {
            let error = crop(&image(), Region { x, y, width, height }).expect_err("outside");
            assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
        }
    }
}

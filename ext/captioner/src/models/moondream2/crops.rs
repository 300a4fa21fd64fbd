//! The crops of an image: the whole of it, then overlapping windows of a larger copy.
//!
//! moondream2, revision 2025-01-09. The windows overlap by margins, whose features are thrown away afterwards, so that no
//! feature that is kept lies at the edge of what the tower saw.

use super::resize::resize;
use crate::image::RgbImage;

/// How an image is cut; all from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cropping {
    /// Pixels of a crop's side.
    pub crop_size: usize,
    /// Pixels of a patch's side.
    pub patch_size: usize,
    /// Patches of a margin.
    pub overlap_margin: usize,
    /// Windows that there are at most.
    pub max_crops: usize,
}

/// Rows and columns of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    pub rows: usize,
    pub columns: usize,
}

/// What the vision tower sees of an image.
#[derive(Debug, Clone)]
pub struct Crops {
    pub tiling: Tiling,
    /// The whole image, then the windows row by row; a single window would be the whole image again and is left out.
    pub images: Vec<RgbImage>,
}

impl Cropping {
    /// Pixels of both margins of a window.
    fn margins(&self) -> usize {
        2 * self.overlap_margin * self.patch_size
    }

    /// Pixels from one window to the next.
    fn step(&self) -> usize {
        self.crop_size - self.margins()
    }

    /// Rows and columns of windows for an image of `width` x `height`, in f64 as in the reference.
    pub fn tiling(&self, width: u32, height: u32) -> Tiling {
        let inner = |side: u32| i64::from(side) - self.margins() as i64;
        let (width, height, step) = (inner(width), inner(height), self.step() as i64);
        if width <= step || height <= step {
            return Tiling { rows: 1, columns: 1 };
        }
        let most = self.max_crops as f64;
        let least = |side: i64| (side as f64 / step as f64).ceil();
        let (least_rows, least_columns) = (least(height), least(width));
        let (rows, columns) = if least_rows * least_columns > most {
            let ratio = (most / (least_rows * least_columns)).sqrt();
            ((least_rows * ratio).floor(), (least_columns * ratio).floor())
        } else {
            let (width, height) = (width as f64, height as f64);
            let rows = (most * height / width).sqrt().floor().max(least_rows);
            let columns = (most * width / height).sqrt().floor().max(least_columns);
            match rows * columns > most {
                true if columns > rows => (rows, (most / rows).floor()),
                true => ((most / columns).floor(), columns),
                false => (rows, columns),
            }
        };
        Tiling { rows: rows.max(1.0) as usize, columns: columns.max(1.0) as usize }
    }

    /// The crops of `image`, each `crop_size` x `crop_size`.
    pub fn crops(&self, image: &RgbImage) -> Crops {
        let tiling = self.tiling(image.width, image.height);
        let whole = resize(image, self.crop_size as u32, self.crop_size as u32);
        let mut images = vec![whole];
        if tiling.rows * tiling.columns > 1 {
            let side = |windows: usize| (windows * self.step() + self.margins()) as u32;
            let large = resize(image, side(tiling.columns), side(tiling.rows));
            for row in 0..tiling.rows {
                images.extend((0..tiling.columns).map(|column| self.window(&large, row, column)));
            }
        }
        Crops { tiling, images }
    }

    fn window(&self, image: &RgbImage, row: usize, column: usize) -> RgbImage {
        let (side, step, width) = (self.crop_size, self.step(), image.width as usize);
        let mut data = Vec::with_capacity(side * side * 3);
        for y in row * step..row * step + side {
            data.extend_from_slice(&image.data[(y * width + column * step) * 3..][..side * 3]);
        }
        RgbImage { width: side as u32, height: side as u32, data }
    }
}

//! From a picture to tiles (transformers, `Idefics3ImageProcessor`): resized to a longest edge, then to multiples of the tile,
//! then cut row by row; the whole picture in the size of a tile comes last.

use super::config::ImageConfig;
use crate::image::{crop, pixels, resize, Filter, Region, RgbImage};
use crate::Result;

/// A picture that is cut into tiles, one at a time.
pub struct Tiles {
    picture: RgbImage,
    tile: u32,
    filter: Filter,
    grid: Grid,
}

/// Rows and columns of tiles; none of either where there is the whole picture only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub rows: usize,
    pub cols: usize,
}

impl Grid {
    /// How many images the tower sees.
    pub fn images(self) -> usize {
        self.rows * self.cols + 1
    }
}

impl Tiles {
    /// Resizes the picture for cutting, or with `splitting` false for being seen as a whole only.
    ///
    /// # Errors
    /// `ImageTooLarge` if there is no memory for it.
    pub fn new(image: &RgbImage, config: &ImageConfig, splitting: bool) -> Result<Self> {
        let (tile, filter) = (config.tile(), config.filter()?);
        let longest = longest_edge(image.width, image.height, config.longest_edge());
        let picture = resized(image, longest, filter)?;
        if !splitting {
            let picture = resized(&picture, (tile, tile), filter)?;
            return Ok(Self { picture, tile, filter, grid: Grid { rows: 0, cols: 0 } });
        }
        let (width, height) = multiples(longest, tile);
        let picture = if (width, height) == longest { picture } else { resized(&picture, (width, height), filter)? };
        let grid = if width > tile || height > tile {
            Grid { rows: (height / tile) as usize, cols: (width / tile) as usize }
        } else {
            Grid { rows: 0, cols: 0 }
        };
        Ok(Self { picture, tile, filter, grid })
    }

    /// How it is cut.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Image `index` as the tower sees it: tiles row by row, then the whole picture.
    ///
    /// # Errors
    /// `ImageTooLarge` if there is no memory for it.
    pub fn image(&self, index: usize) -> Result<RgbImage> {
        let tile = self.tile;
        if index + 1 >= self.grid.images() {
            return resized(&self.picture, (tile, tile), self.filter);
        }
        let (row, col) = ((index / self.grid.cols) as u32, (index % self.grid.cols) as u32);
        crop(&self.picture, Region { x: col * tile, y: row * tile, width: tile, height: tile })
    }

    /// Its values, channels last, `[tile * tile, 3]`.
    ///
    /// # Errors
    /// As for [`Tiles::image`].
    pub fn pixel_values(&self, index: usize, config: &ImageConfig) -> Result<Vec<f32>> {
        pixels(&self.image(index)?, config.rescale_factor, config.image_mean, config.image_std)
    }
}

/// Pillow copies where the size is the same.
fn resized(image: &RgbImage, (width, height): (u32, u32), filter: Filter) -> Result<RgbImage> {
    resize(image, width, height, filter)
}

/// The size with the longer side `longest`, the shorter one cut to a whole number and made even.
fn longest_edge(width: u32, height: u32, longest: u32) -> (u32, u32) {
    let aspect = f64::from(width) / f64::from(height);
    let even = |side: f64| (side as u32 + side as u32 % 2).max(1);
    if width >= height {
        (longest, even(f64::from(longest) / aspect))
    } else {
        (even(f64::from(longest) * aspect), longest)
    }
}

/// The size in whole tiles; the aspect ratio is not kept.
fn multiples((width, height): (u32, u32), tile: u32) -> (u32, u32) {
    let aspect = f64::from(width) / f64::from(height);
    let up = |side: u32| side.div_ceil(tile).max(1) * tile;
    if width >= height {
        let width = up(width);
        (width, up((f64::from(width) / aspect) as u32))
    } else {
        let height = up(height);
        (up((f64::from(height) * aspect) as u32), height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_reference() {
        for (size, first, second) in [
            ((1, 1), (2048, 2048), (2048, 2048)),
            ((1600, 900), (2048, 1152), (2048, 1536)),
            ((900, 1600), (1152, 2048), (1536, 2048)),
            ((4000, 1), (2048, 1), (2048, 512)),
            ((1, 4000), (1, 2048), (512, 2048)),
            ((513, 511), (2048, 2040), (2048, 2048)),
        ] {
            let longest = longest_edge(size.0, size.1, 2048);
            assert_eq!((longest, multiples(longest, 512)), (first, second), "{size:?}");
        }
    }
}

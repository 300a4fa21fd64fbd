//! Pixels to the tensor of the vision tower.

use super::memory;
use super::RgbImage;
use crate::error::Result;

/// Rescales and normalizes to f32, channels last: `[height * width, 3]`.
///
/// The arithmetic is that of transformers' image processors on Pillow (`image_transforms.rescale` and `normalize`): the
/// pixel times `rescale_factor` in f64, rounded to f32, then minus the mean and divided by the deviation in f32.
///
/// # Errors
/// `ImageTooLarge` if there is no memory for it.
pub fn pixels(image: &RgbImage, rescale_factor: f64, mean: [f32; 3], std: [f32; 3]) -> Result<Vec<f32>> {
    // A pixel has 256 values, so the f64 arithmetic is done 256 times and not once per pixel.
    let tables: [[f32; 256]; 3] = std::array::from_fn(|channel| {
        std::array::from_fn(|value| ((value as f64 * rescale_factor) as f32 - mean[channel]) / std[channel])
    });
    let mut out = memory::room(image.data.len())?;
    for pixel in image.data.chunks_exact(3) {
        for (table, &value) in tables.iter().zip(pixel) {
            out.push(table[usize::from(value)]);
        }
    }
    Ok(out)
}

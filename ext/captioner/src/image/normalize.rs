//! Pixels to the tensor of the vision tower.

use super::RgbImage;

/// Rescales and normalizes to planes (channel, row, column) of f32.
///
/// The arithmetic is that of transformers' image processors on Pillow (`image_transforms.rescale` and `normalize`): the
/// pixel times `rescale_factor` in f64, rounded to f32, then minus the mean and divided by the deviation in f32.
pub fn normalize(image: &RgbImage, rescale_factor: f64, mean: [f32; 3], std: [f32; 3]) -> Vec<f32> {
    let plane = image.data.len() / 3;
    let mut out = vec![0f32; plane * 3];
    for channel in 0..3 {
        // A pixel has 256 values, so the f64 arithmetic is done 256 times and not once per pixel.
        let mut table = [0f32; 256];
        for (value, entry) in table.iter_mut().enumerate() {
            *entry = ((value as f64 * rescale_factor) as f32 - mean[channel]) / std[channel];
        }
        let target = &mut out[channel * plane..][..plane];
        for (value, pixel) in target.iter_mut().zip(image.data.chunks_exact(3)) {
            *value = table[usize::from(pixel[channel])];
        }
    }
    out
}

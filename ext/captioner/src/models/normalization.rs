//! The numbers that pixels are normalized with, as a checkpoint's processor gives them.

use crate::{Error, Result};

/// Pixels end up around one; what is a million times as large is no image to any model.
const LARGEST: f64 = 1e6;

/// Do `(pixel * rescale_factor - mean) / std` make numbers of pixels that a model can see an image in?
///
/// # Errors
/// `CorruptModel` if not.
pub fn check(rescale_factor: f64, mean: [f32; 3], std: [f32; 3]) -> Result<()> {
    let positive = |value: f64| value.is_finite() && value > 0.0;
    let normalized =
        |channel: usize, pixel: f64| (pixel * rescale_factor - f64::from(mean[channel])) / f64::from(std[channel]);
    let is_seen = |channel: usize| {
        positive(std[channel].into())
            && [0.0, 255.0].into_iter().all(|pixel| normalized(channel, pixel).abs() <= LARGEST)
    };
    if positive(rescale_factor) && (0..3).all(is_seen) {
        return Ok(());
    }
    Err(Error::CorruptModel(format!(
        "rescale_factor {rescale_factor}, image_mean {mean:?} and image_std {std:?} do not normalize pixels"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_numbers_are_taken() {
        for (mean, std) in [([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), ([0.5; 3], [0.5; 3])] {
            check(1.0 / 255.0, mean, std).unwrap();
        }
        check(1.0, [127.5; 3], [127.5; 3]).unwrap();
    }

    #[test]
    fn numbers_that_hide_the_image_are_not() {
        let scale = 1.0 / 255.0;
        for (scale, mean, std) in [
            (scale, 0.5, 0.0),
            (scale, 0.5, -0.5),
            (scale, 0.5, 1e-40),
            (scale, 0.5, f32::NAN),
            (scale, 0.5, f32::INFINITY),
            (scale, f32::INFINITY, 0.5),
            (0.0, 0.5, 0.5),
            (1e300, 0.5, 0.5),
            (f64::NAN, 0.5, 0.5),
        ] {
            let error = check(scale, [0.5, mean, 0.5], [0.5, std, 0.5]).unwrap_err();
            assert!(matches!(error, Error::CorruptModel(_)), "{scale} {mean} {std}");
        }
    }
}

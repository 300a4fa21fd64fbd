//! Later frames of an animation, for one whose first frame shows nothing: stickers that fade in, titles after a blank.

use super::context::Context;
use super::ground::Ground;
use super::limits::Failure;
use super::{memory, RgbImage};

/// Channels of a picture with nothing in it vary by no more than this, which lossy coding does to a flat colour.
const FLAT: u8 = 8;
/// Enough to be seen. Of frames that all vary less, the one that varies most is taken.
const CLEARLY_VISIBLE: u8 = 64;
/// Frames that are looked at, and pixels of all of them together.
const MOST_FRAMES: usize = 64;
const MOST_PIXELS: usize = 1 << 26;

/// An animation on its canvas.
pub(super) trait Frames {
    /// Draws the next frame. False after the last one; the first call draws the first one.
    fn draw(&mut self, canvas: &mut Canvas, context: &Context<'_>) -> Result<bool, Failure>;
}

/// RGBA, interleaved.
pub(super) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) data: Vec<u8>,
}

/// A rectangle of a canvas.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Canvas {
    /// A clear one.
    pub(super) fn new(width: usize, height: usize) -> Result<Self, Failure> {
        Ok(Canvas { width, height, data: memory::filled(0, width * height * 4)? })
    }

    /// Every row of a rectangle as far as it lies on the canvas, with its number.
    pub(super) fn rows(&mut self, place: Place) -> impl Iterator<Item = (usize, &mut [u8])> {
        let stride = self.width * 4;
        let (from, to) = (place.x.min(self.width) * 4, (place.x + place.width).min(self.width) * 4);
        let rows = self.data.chunks_exact_mut(stride).skip(place.y).take(place.height);
        rows.map(move |row| &mut row[from..to]).enumerate()
    }

    /// Makes a rectangle clear.
    pub(super) fn clear(&mut self, place: Place) {
        self.rows(place).for_each(|(_, row)| row.fill(0));
    }

    /// Blends one pixel over what is there, in libwebp's integers (anim_decode.c).
    pub(super) fn blend(under: &mut [u8], over: [u8; 4]) {
        let alpha = u32::from(over[3]);
        match alpha {
            0 => return,
            255 => return under.copy_from_slice(&over),
            _ => {}
        }
        let below = (u32::from(under[3]) * (256 - alpha)) >> 8;
        let scale = (1 << 24) / (alpha + below);
        for (under, over) in under.iter_mut().zip(over).take(3) {
            let sum = u32::from(over) * alpha + u32::from(*under) * below;
            *under = ((u64::from(sum) * u64::from(scale)) >> 24) as u8;
        }
        under[3] = (alpha + below) as u8;
    }

    /// As RGB, on the ground that shows it.
    fn shown(&self) -> Result<RgbImage, Failure> {
        let pixels = self.data.chunks_exact(4).map(|rgba| [rgba[0], rgba[1], rgba[2], rgba[3]]);
        let mut ground = Ground::white();
        pixels.clone().for_each(|pixel| ground.see(pixel));
        if ground.hides() {
            ground = Ground::black();
        }
        let mut data = memory::room(self.width * self.height * 3)?;
        pixels.for_each(|pixel| data.extend_from_slice(&ground.under(pixel)));
        Ok(RgbImage { width: self.width as u32, height: self.height as u32, data })
    }
}

/// How far the values of the channel that varies most lie apart.
fn spread(image: &RgbImage) -> u8 {
    let (mut least, mut most) = ([255u8; 3], [0u8; 3]);
    for pixel in image.data.chunks_exact(3) {
        for channel in 0..3 {
            least[channel] = least[channel].min(pixel[channel]);
            most[channel] = most[channel].max(pixel[channel]);
        }
    }
    (0..3).map(|channel| most[channel].saturating_sub(least[channel])).max().unwrap_or(0)
}

/// There is nothing in the picture.
pub(super) fn is_blank(image: &RgbImage) -> bool {
    let first = image.data.first_chunk::<3>().copied().unwrap_or_default();
    // Nearly every picture says no within its first rows.
    let alike = |pixel: &[u8]| pixel.iter().zip(first).all(|(&value, first)| value.abs_diff(first) <= FLAT);
    image.data.chunks_exact(3).all(alike) && spread(image) <= FLAT
}

/// The first frame with something in it, if there is one within the bounds. Damage ends the search.
pub(super) fn first_visible(
    mut frames: impl Frames,
    (width, height): (usize, usize),
    context: &Context<'_>,
) -> Result<Option<RgbImage>, Failure> {
    let pixels = width * height;
    let mut canvas = Canvas::new(width, height)?;
    let (mut best, mut best_spread) = (None, FLAT);
    for _ in 0..MOST_FRAMES.min(MOST_PIXELS / pixels.max(1)) {
        context.go_on()?;
        match frames.draw(&mut canvas, context) {
            Ok(true) => {}
            Err(failure @ (Failure::Interrupted | Failure::OutOfMemory(_))) => return Err(failure),
            Ok(false) | Err(_) => break,
        }
        let image = canvas.shown()?;
        let spread = spread(&image);
        if spread >= CLEARLY_VISIBLE {
            return Ok(Some(image));
        }
        if spread > best_spread {
            (best, best_spread) = (Some(image), spread);
        }
    }
    Ok(best)
}

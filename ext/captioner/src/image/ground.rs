//! Transparency over an opaque ground, in Pillow's integers (libImaging/AlphaComposite.c, opaque destination).
//!
//! The ground is white, as everybody's is who prepares images for these models. White art without a background of its own
//! would vanish on it and is shown on black.

/// From here on a channel counts as nearly white.
const NEARLY_WHITE: u8 = 232;

const CLEAR: u8 = 1;
const LIGHT: u8 = 2;
const COLOURED: u8 = 4;

/// The ground, and what was put on it so far.
pub(super) struct Ground {
    value: u8,
    seen: u8,
}

impl Ground {
    pub(super) fn white() -> Self {
        Ground { value: 255, seen: 0 }
    }

    pub(super) fn black() -> Self {
        Ground { value: 0, seen: 0 }
    }

    /// One RGBA pixel on the ground.
    #[inline]
    pub(super) fn pixel(&mut self, rgba: [u8; 4]) -> [u8; 3] {
        self.see(rgba);
        self.under(rgba)
    }

    /// Takes note of a pixel.
    #[inline]
    pub(super) fn see(&mut self, [r, g, b, alpha]: [u8; 4]) {
        self.seen |= match r.min(g).min(b) {
            _ if alpha < 128 => CLEAR,
            NEARLY_WHITE.. => LIGHT,
            _ => COLOURED,
        };
    }

    /// The colour of a pixel, without taking note of it.
    #[inline]
    pub(super) fn under(&self, [r, g, b, alpha]: [u8; 4]) -> [u8; 3] {
        [r, g, b].map(|value| channel(value, alpha, self.value))
    }

    /// There is something on it, with holes in it, and all of it is nearly white.
    pub(super) fn hides(&self) -> bool {
        self.value == 255 && self.seen == CLEAR | LIGHT
    }
}

/// One channel with alpha over the ground. Pillow keeps seven fractional bits and rounds to nearest.
#[inline]
fn channel(value: u8, alpha: u8, ground: u8) -> u8 {
    if alpha == 0 {
        return ground;
    }
    // With an opaque destination Pillow's coefficient alpha * 255 * 255 * 128 / (255 * 255) is exact.
    let source = u32::from(alpha) << 7;
    let blended = u32::from(value) * source + u32::from(ground) * ((255 << 7) - source) + (0x80 << 7);
    (((blended >> 8) + blended) >> 8 >> 7) as u8
}

/// Interleaved RGBA on the ground, in place: the same buffer comes back as RGB.
pub(super) fn flatten(mut data: Vec<u8>, ground: &mut Ground) -> Vec<u8> {
    let pixels = data.len() / 4;
    for i in 0..pixels {
        let rgb = ground.pixel([data[i * 4], data[i * 4 + 1], data[i * 4 + 2], data[i * 4 + 3]]);
        data[i * 3..i * 3 + 3].copy_from_slice(&rgb);
    }
    data.truncate(pixels * 3);
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_keeps_and_clear_is_the_ground() {
        for value in 0..=255 {
            for ground in [0, 255] {
                assert_eq!(channel(value, 255, ground), value);
                assert_eq!(channel(value, 0, ground), ground);
                assert_eq!(channel(ground, value, ground), ground);
            }
        }
        let flat = flatten(vec![10, 20, 30, 7, 40, 50, 60, 128], &mut Ground::white());
        assert_eq!(flat, [248, 249, 249, 147, 152, 157]);
    }

    #[test]
    fn white_art_with_holes_is_hidden() {
        let hides = |pixels: &[[u8; 4]]| {
            let mut ground = Ground::white();
            pixels.iter().for_each(|&pixel| {
                ground.pixel(pixel);
            });
            ground.hides()
        };
        assert!(hides(&[[255, 255, 255, 255], [0, 0, 0, 0], [240, 240, 240, 200]]));
        assert!(!hides(&[[255, 255, 255, 255], [0, 0, 0, 0], [0, 0, 0, 255]]));
        assert!(!hides(&[[255, 255, 255, 255]]));
        assert!(!hides(&[[255, 255, 255, 0]]));
    }
}

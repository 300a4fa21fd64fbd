//! Transparency over a white background, in Pillow's integers (libImaging/AlphaComposite.c, opaque destination).

/// One channel with alpha over white. Pillow keeps seven fractional bits and rounds to nearest.
#[inline]
pub(super) fn channel(value: u8, alpha: u8) -> u8 {
    if alpha == 0 {
        return 255;
    }
    // With an opaque destination Pillow's coefficient alpha * 255 * 255 * 128 / (255 * 255) is exact.
    let source = u32::from(alpha) << 7;
    let blended = u32::from(value) * source + 255 * ((255 << 7) - source) + (0x80 << 7);
    (((blended >> 8) + blended) >> 8 >> 7) as u8
}

/// One RGBA pixel over white.
#[inline]
pub(super) fn pixel(rgba: [u8; 4]) -> [u8; 3] {
    let [r, g, b, a] = rgba;
    [channel(r, a), channel(g, a), channel(b, a)]
}

/// Interleaved RGBA over white, in place: the same buffer comes back as RGB.
pub(super) fn flatten(mut data: Vec<u8>) -> Vec<u8> {
    let pixels = data.len() / 4;
    for i in 0..pixels {
        let rgb = pixel([data[i * 4], data[i * 4 + 1], data[i * 4 + 2], data[i * 4 + 3]]);
        data[i * 3..i * 3 + 3].copy_from_slice(&rgb);
    }
    data.truncate(pixels * 3);
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_keeps_and_clear_is_white() {
        for value in 0..=255 {
            assert_eq!(channel(value, 255), value);
            assert_eq!(channel(value, 0), 255);
            assert_eq!(channel(255, value), 255);
        }
        assert_eq!(flatten(vec![10, 20, 30, 7, 40, 50, 60, 128]), [248, 249, 249, 147, 152, 157]);
    }
}

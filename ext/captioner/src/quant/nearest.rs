//! The nearest entry of a code table.

/// Values that are widened and encoded at a time. Divides every block size.
pub(super) const STRIDE: usize = 32;

/// For each value the number of bounds strictly below it. Bounds outside, values inside: that order vectorizes.
#[inline]
pub(super) fn nearest(values: &[f32; STRIDE], bounds: &[f32; 15]) -> [u8; STRIDE] {
    let mut codes = [0u8; STRIDE];
    for bound in bounds {
        for (code, value) in codes.iter_mut().zip(values) {
            *code += u8::from(value > bound);
        }
    }
    codes
}

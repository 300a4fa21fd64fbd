//! Products of 16-bit integers for processors of which nothing more is known.

/// Adds the products of neighbours, `w[2 i] * a[2 i] + w[2 i + 1] * a[2 i + 1]`, to `sums[i]`. The instruction for it is as old
/// as x86-64, but compilers do not find it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn add_products(sums: [i32; 4], w: &[i16; 8], a: &[i16; 8]) -> [i32; 4] {
    use std::arch::x86_64::*;
    // SAFETY: SSE2 is always there, and every pointer is to sixteen bytes.
    unsafe {
        let products = _mm_madd_epi16(_mm_loadu_si128(w.as_ptr().cast()), _mm_loadu_si128(a.as_ptr().cast()));
        let sums = _mm_add_epi32(_mm_loadu_si128(sums.as_ptr().cast()), products);
        std::mem::transmute::<__m128i, [i32; 4]>(sums)
    }
}

/// As above.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub fn add_products(sums: [i32; 4], w: &[i16; 8], a: &[i16; 8]) -> [i32; 4] {
    let product = |i: usize| i32::from(w[i]) * i32::from(a[i]);
    std::array::from_fn(|i| sums[i] + product(2 * i) + product(2 * i + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_added() {
        let (w, a) = ([1, 2, 3, 4, 255, 255, 0, 7], [5, -6, 7, 8, -127, -127, 9, -1]);
        assert_eq!(add_products([0, 10, 1 << 20, -3], &w, &a), [-7, 63, (1 << 20) - 64_770, -10]);
    }
}

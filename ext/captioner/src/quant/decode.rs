//! From nibbles to f32: one table look-up per value. The table is a block's code table times its scale, so a value costs
//! no multiplication and equals `code * scale` to the last bit.

/// The instruction set that decodes, chosen at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isa {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Isa {
    /// The fastest that this processor has. The detection is cached by the standard library.
    #[inline]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Isa::Avx2;
        }
        Isa::Portable
    }
}

/// Writes the values of elements `start..start + out.len()` of `codes` to `out`. All belong to the block of `table`.
#[inline]
pub(super) fn decode(isa: Isa, table: &[f32; 16], codes: &[u8], start: usize, out: &mut [f32]) {
    let (mut start, mut out) = (start, out);
    if start % 2 == 1 {
        let Some((first, rest)) = out.split_first_mut() else { return };
        *first = table[usize::from(codes[start / 2] & 15)];
        (start, out) = (start + 1, rest);
    }
    let (pairs, last) = out.split_at_mut(out.len() & !1);
    let bytes = &codes[start / 2..][..pairs.len() / 2];
    match isa {
        Isa::Portable => portable(table, bytes, pairs),
        // SAFETY: the variant exists only where `detect` found the instructions (or a test did).
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(table, bytes, pairs) },
    }
    if let [last] = last {
        *last = table[usize::from(codes[start / 2 + bytes.len()] >> 4)];
    }
}

fn portable(table: &[f32; 16], bytes: &[u8], out: &mut [f32]) {
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = table[usize::from(byte >> 4)];
        pair[1] = table[usize::from(byte & 15)];
    }
}

/// Eight values at a time: both halves of the table permuted by the low three bits of the code, then the fourth chooses.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(table: &[f32; 16], bytes: &[u8], out: &mut [f32]) {
    use std::arch::x86_64::*;
    let low_half = _mm256_loadu_ps(table.as_ptr());
    let high_half = _mm256_loadu_ps(table.as_ptr().add(8));
    let nibble = _mm_set1_epi8(15);
    let mut chunks = bytes.chunks_exact(8);
    let mut outs = out.chunks_exact_mut(16);
    for (chunk, values) in chunks.by_ref().zip(outs.by_ref()) {
        let packed = _mm_loadl_epi64(chunk.as_ptr().cast());
        let even = _mm_and_si128(_mm_srli_epi16(packed, 4), nibble);
        let odd = _mm_and_si128(packed, nibble);
        let codes = _mm_unpacklo_epi8(even, odd);
        for (half, codes) in [codes, _mm_srli_si128(codes, 8)].into_iter().enumerate() {
            let index = _mm256_cvtepu8_epi32(codes);
            let low = _mm256_permutevar8x32_ps(low_half, index);
            let high = _mm256_permutevar8x32_ps(high_half, index);
            // The blend reads the sign bit, so bit 3 of the code moves there.
            let choose_high = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28));
            let eight = _mm256_blendv_ps(low, high, choose_high);
            _mm256_storeu_ps(values.as_mut_ptr().add(8 * half), eight);
        }
    }
    portable(table, chunks.remainder(), outs.into_remainder());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruction_sets_agree_over_every_range() {
        let table: [f32; 16] = std::array::from_fn(|i| (i as f32 - 7.3) * 0.37);
        let codes: Vec<u8> = (0..67u32).map(|i| (i * 151 + 43) as u8).collect();
        for start in 0..40 {
            for len in 0..(2 * codes.len() - start) {
                let (mut ours, mut twin) = (vec![0f32; len], vec![0f32; len]);
                decode(Isa::detect(), &table, &codes, start, &mut ours);
                decode(Isa::Portable, &table, &codes, start, &mut twin);
                assert_eq!(ours, twin);
                for (i, value) in twin.iter().enumerate() {
                    let byte = codes[(start + i) / 2];
                    let code = if (start + i) % 2 == 0 { byte >> 4 } else { byte & 15 };
                    assert_eq!(*value, table[usize::from(code)]);
                }
            }
        }
    }
}

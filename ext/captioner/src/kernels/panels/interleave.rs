//! From sixteen rows of words to lines: a transposition.

use super::{Line, LINES};
use crate::kernels::isa::Isa;

/// Writes `rows` (sixteen rows of `words` each, end to end) as the `quarter`-th line of each word of `panel`.
pub fn interleave(isa: Isa, rows: &[u32], words: usize, quarter: usize, panel: &mut [Line]) {
    assert!(rows.len() == 16 * words && panel.len() == words * LINES && quarter < LINES);
    let whole = if isa >= Isa::Avx512 { words / 16 * 16 } else { 0 };
    #[cfg(target_arch = "x86_64")]
    for word in (0..whole).step_by(16) {
        // SAFETY: the set is only chosen where the processor has it; rows and lines are within the slices, see above.
        unsafe { avx512(rows.as_ptr().add(word), words, panel.as_mut_ptr().add(word * LINES + quarter)) };
    }
    for word in whole..words {
        let line = &mut panel[word * LINES + quarter].0;
        for (feature, out) in line.iter_mut().enumerate() {
            *out = rows[feature * words + word];
        }
    }
}

/// Sixteen words of sixteen rows, `stride` words apart, to sixteen lines, [`LINES`] apart.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(rows: *const u32, stride: usize, lines: *mut Line) {
    use std::arch::x86_64::*;
    let row = |i: usize| _mm512_loadu_si512(rows.add(i * stride).cast());
    let mut a = [_mm512_setzero_si512(); 16];
    // Four by four within each 128-bit lane.
    for group in 0..4 {
        let [r0, r1, r2, r3] = [0, 1, 2, 3].map(|i| row(4 * group + i));
        let (low01, high01) = (_mm512_unpacklo_epi32(r0, r1), _mm512_unpackhi_epi32(r0, r1));
        let (low23, high23) = (_mm512_unpacklo_epi32(r2, r3), _mm512_unpackhi_epi32(r2, r3));
        a[4 * group] = _mm512_unpacklo_epi64(low01, low23);
        a[4 * group + 1] = _mm512_unpackhi_epi64(low01, low23);
        a[4 * group + 2] = _mm512_unpacklo_epi64(high01, high23);
        a[4 * group + 3] = _mm512_unpackhi_epi64(high01, high23);
    }
    // Then the lanes: a[4 g + w] holds word w + 4 l of rows 4 g.. in lane l.
    for word in 0..4 {
        let [g0, g1, g2, g3] = [0, 1, 2, 3].map(|group| a[4 * group + word]);
        let (low01, high01) = (_mm512_shuffle_i32x4::<0x44>(g0, g1), _mm512_shuffle_i32x4::<0xEE>(g0, g1));
        let (low23, high23) = (_mm512_shuffle_i32x4::<0x44>(g2, g3), _mm512_shuffle_i32x4::<0xEE>(g2, g3));
        let store = |at: usize, line| _mm512_store_si512(lines.add(at * LINES).cast(), line);
        store(word, _mm512_shuffle_i32x4::<0x88>(low01, low23));
        store(word + 4, _mm512_shuffle_i32x4::<0xDD>(low01, low23));
        store(word + 8, _mm512_shuffle_i32x4::<0x88>(high01, high23));
        store(word + 12, _mm512_shuffle_i32x4::<0xDD>(high01, high23));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_finds_its_line() {
        for isa in Isa::available() {
            for words in [1, 15, 16, 37, 48] {
                let rows: Vec<u32> = (0..16 * words as u32).map(|i| i.wrapping_mul(2_654_435_761)).collect();
                let mut panel = vec![Line([7; 16]); words * LINES];
                interleave(isa, &rows, words, 2, &mut panel);
                for (i, line) in panel.iter().enumerate() {
                    let (word, quarter) = (i / LINES, i % LINES);
                    for feature in 0..16 {
                        let expected = if quarter == 2 { rows[feature * words + word] } else { 7 };
                        assert_eq!(line.0[feature], expected, "{isa:?}, {words} words");
                    }
                }
            }
        }
    }
}

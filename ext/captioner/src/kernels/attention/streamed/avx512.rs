//! A tile of queries through all keys, in AVX512-BF16.

use std::arch::x86_64::*;
use std::mem::transmute;

use crate::kernels::panels::{Line, LINES, WIDTH};

/// Pairs of keys whose weights exist at a time: whole groups of three, few enough to stay in the first-level cache.
pub const PAIRS: usize = 48;

/// Calls a kernel for the rows that there are, or for the most that it takes.
macro_rules! by_rows_of {
    ($rows:expr, $kernel:ident $arguments:tt) => {
        match $rows {
            1 => $kernel::<1, _> $arguments,
            2 => $kernel::<2, _> $arguments,
            3 => $kernel::<3, _> $arguments,
            4 => $kernel::<4, _> $arguments,
            5 => $kernel::<5, _> $arguments,
            _ => $kernel::<ROWS, _> $arguments,
        }
    };
}

/// Keys, or channels of the values, that are worked off at a time: with four lines of queries 24 registers of sums.
const ROWS: usize = 6;

/// A query's reference is raised when a score is more than this above it, in powers of two. So that hardly ever happens after the
/// first keys; weights up to `2^HEADROOM` are no worse than weights up to one.
const HEADROOM: f32 = 32.0;

/// The score of a key that a query does not see: its weight is zero.
const UNSEEN: f32 = -1e30;

/// `2^f` on -0.5..=0.5 within 8e-5 of itself, a minimax fit: a fiftieth of what cutting it to bf16 does.
const POWER: [f32; 4] = [0.999_928_06, 0.693_260_97, 0.242_611_13, 0.055_171_67];

/// What a tile is computed from; see [`super::bf16`] for the layouts.
#[derive(Clone, Copy)]
pub struct Tile<'a> {
    pub keys: &'a [u32],
    /// Words of a key.
    pub words: usize,
    pub values: &'a [u32],
    pub dim: usize,
    pub queries: &'a [Line],
    /// How many keys each query sees.
    pub ends: &'a [i32; WIDTH],
}

/// Fills `mixed`, `[dim + 1, 64]`, for the queries of the first `lines` lines; `weights` is room for [`PAIRS`] times [`LINES`].
///
/// # Safety
/// The processor has AVX512-BF16; every query sees a key, and none sees more than there are.
pub unsafe fn attend(tile: Tile, lines: usize, weights: &mut [Line], mixed: &mut [[f32; WIDTH]]) {
    assert!(tile.queries.len() == tile.words * LINES && weights.len() == PAIRS * LINES && mixed.len() == tile.dim + 1);
    match lines {
        1 => stream::<1>(tile, weights, mixed),
        2 => stream::<2>(tile, weights, mixed),
        3 => stream::<3>(tile, weights, mixed),
        _ => stream::<4>(tile, weights, mixed),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn stream<const L: usize>(tile: Tile, weights: &mut [Line], mixed: &mut [[f32; WIDTH]]) {
    let own = &tile.ends[..16 * L];
    let (all, any) = own.iter().fold((i32::MAX, 0), |(all, any), end| (all.min(*end), any.max(*end)));
    let (all, any) = (all as usize, any as usize);
    let mut reference = [_mm512_set1_ps(f32::NEG_INFINITY); L];
    mixed.iter_mut().for_each(|row| row.fill(0.0));
    for first in (0..any).step_by(2 * PAIRS) {
        let keys = first..any.min(first + 2 * PAIRS);
        let values = tile.values.as_ptr().add(first / (2 * PAIRS) * (tile.dim + 1) * PAIRS);
        let mut mixed_pairs = 0;
        for key in keys.clone().step_by(ROWS) {
            let (rows, pair) = ((keys.end - key).min(ROWS), (key - first) / 2);
            loop {
                let out = weights.as_mut_ptr().add(pair * LINES);
                let above = if key + rows > all {
                    by_rows_of!(rows, masked(tile, key, &reference, out))
                } else {
                    by_rows_of!(rows, unmasked(tile, key, &reference, out))
                };
                let Some(highest) = above else { break };
                // Weights so far belong to the old reference.
                mix::<L>(tile.dim, values, weights, mixed_pairs..pair, mixed);
                mixed_pairs = pair;
                raise::<L>(&mut reference, highest, mixed);
            }
        }
        mix::<L>(tile.dim, values, weights, mixed_pairs..keys.len().div_ceil(2), mixed);
    }
}

/// Raises references to at least `highest`, and scales what was summed to them. They are whole numbers, so that this loses nothing.
#[cold]
#[target_feature(enable = "avx512f")]
unsafe fn raise<const L: usize>(reference: &mut [__m512; L], highest: [__m512; L], mixed: &mut [[f32; WIDTH]]) {
    for line in 0..L {
        let before = reference[line];
        let now =
            _mm512_max_ps(before, _mm512_roundscale_ps::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>(highest[line]));
        reference[line] = now;
        let change = _mm512_sub_ps(before, now);
        for row in mixed.iter_mut() {
            let at = row.as_mut_ptr().add(16 * line);
            _mm512_storeu_ps(at, _mm512_scalef_ps(_mm512_loadu_ps(at), change));
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn masked<const M: usize, const L: usize>(
    tile: Tile,
    key: usize,
    reference: &[__m512; L],
    out: *mut Line,
) -> Option<[__m512; L]> {
    let mut scores = scores::<M, L>(tile, key);
    for line in 0..L {
        let ends = _mm512_loadu_si512(tile.ends.as_ptr().add(16 * line).cast());
        for (i, scores) in scores.iter_mut().enumerate() {
            let seen = _mm512_cmpgt_epi32_mask(ends, _mm512_set1_epi32((key + i) as i32));
            scores[line] = _mm512_mask_mov_ps(_mm512_set1_ps(UNSEEN), seen, scores[line]);
        }
    }
    weigh(scores, reference, out)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn unmasked<const M: usize, const L: usize>(
    tile: Tile,
    key: usize,
    reference: &[__m512; L],
    out: *mut Line,
) -> Option<[__m512; L]> {
    weigh(scores::<M, L>(tile, key), reference, out)
}

/// Products of `M` keys with the queries.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn scores<const M: usize, const L: usize>(tile: Tile, key: usize) -> [[__m512; L]; M] {
    let keys = tile.keys.as_ptr().add(key * tile.words);
    let mut sums = [[_mm512_setzero_ps(); L]; M];
    for word in 0..tile.words {
        let queries: [__m512i; L] =
            std::array::from_fn(|line| _mm512_load_si512(tile.queries.as_ptr().add(word * LINES + line).cast()));
        for (row, sums) in sums.iter_mut().enumerate() {
            add_products(sums, *keys.add(row * tile.words + word), queries);
        }
    }
    sums
}

/// Adds the products of a broadcast word with each line.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn add_products<const L: usize>(sums: &mut [__m512; L], word: u32, lines: [__m512i; L]) {
    let word = _mm512_set1_epi32(word as i32);
    for (sum, line) in sums.iter_mut().zip(lines) {
        // SAFETY: both types are the same 512 bits.
        *sum = _mm512_dpbf16_ps(*sum, transmute::<__m512i, __m512bh>(line), transmute::<__m512i, __m512bh>(word));
    }
}

/// Writes the weights of `M` keys in pairs to `out`; or, if a score is too far above its reference, gives the highest scores.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn weigh<const M: usize, const L: usize>(
    scores: [[__m512; L]; M],
    reference: &[__m512; L],
    out: *mut Line,
) -> Option<[__m512; L]> {
    let mut highest = [_mm512_setzero_ps(); L];
    let mut above = 0;
    for line in 0..L {
        highest[line] = scores.iter().skip(1).fold(scores[0][line], |highest, row| _mm512_max_ps(highest, row[line]));
        let limit = _mm512_add_ps(reference[line], _mm512_set1_ps(HEADROOM));
        above |= _mm512_cmp_ps_mask::<_CMP_GT_OQ>(highest[line], limit);
    }
    if above != 0 {
        return Some(highest);
    }
    for line in 0..L {
        for pair in 0..M.div_ceil(2) {
            let even = power(_mm512_sub_ps(scores[2 * pair][line], reference[line]));
            let mut word = _mm512_srli_epi32::<16>(_mm512_castps_si512(even));
            if 2 * pair + 1 < M {
                let odd = power(_mm512_sub_ps(scores[2 * pair + 1][line], reference[line]));
                // The upper halves of both: `even | odd & mask`.
                let mask = _mm512_set1_epi32(0xFFFF_0000u32 as i32);
                word = _mm512_ternarylogic_epi32::<0xF8>(word, _mm512_castps_si512(odd), mask);
            }
            _mm512_store_si512(out.add(pair * LINES + line).cast(), word);
        }
    }
    None
}

/// `2^t`; zero far below.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn power(t: __m512) -> __m512 {
    let whole = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(t);
    let f = _mm512_sub_ps(t, whole);
    let mut p = _mm512_set1_ps(POWER[3]);
    for coefficient in POWER[..3].iter().rev() {
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(*coefficient));
    }
    _mm512_scalef_ps(p, whole)
}

/// Adds the values of some pairs of keys, by their weights, to `mixed`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn mix<const L: usize>(
    dim: usize,
    values: *const u32,
    weights: &[Line],
    pairs: std::ops::Range<usize>,
    mixed: &mut [[f32; WIDTH]],
) {
    if pairs.is_empty() {
        return;
    }
    for channel in (0..=dim).step_by(ROWS) {
        let values = values.add(channel * PAIRS + pairs.start);
        let weights = weights.as_ptr().add(pairs.start * LINES);
        let out = mixed.as_mut_ptr().add(channel);
        by_rows_of!(dim + 1 - channel, mix_rows(values, weights, pairs.len(), out, [(); L]));
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn mix_rows<const M: usize, const L: usize>(
    values: *const u32,
    weights: *const Line,
    pairs: usize,
    mixed: *mut [f32; WIDTH],
    _: [(); L],
) {
    let mut sums = [[_mm512_setzero_ps(); L]; M];
    for (row, sums) in sums.iter_mut().enumerate() {
        *sums = std::array::from_fn(|line| _mm512_loadu_ps(mixed.add(row).cast::<f32>().add(16 * line)));
    }
    for pair in 0..pairs {
        let lines: [__m512i; L] =
            std::array::from_fn(|line| _mm512_load_si512(weights.add(pair * LINES + line).cast()));
        for (row, sums) in sums.iter_mut().enumerate() {
            add_products(sums, *values.add(row * PAIRS + pair), lines);
        }
    }
    for (row, sums) in sums.into_iter().enumerate() {
        for (line, sum) in sums.into_iter().enumerate() {
            _mm512_storeu_ps(mixed.add(row).cast::<f32>().add(16 * line), sum);
        }
    }
}

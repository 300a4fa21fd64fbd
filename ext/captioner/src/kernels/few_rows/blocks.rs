//! Weights in 4-bit blocks: nibbles are looked up as bytes (code + 128), multiplied in int8 and summed over a block, and the
//! block's sum is scaled in `f32`.

use super::group::BlockGroup;
use super::rounded::{Rounded, BLOCK};
use super::scales::Scales;
use super::{Sums, FEW_ROWS};
use crate::kernels::isa::Isa;
use crate::kernels::pairs::add_products;
use crate::kernels::Matrix;
use crate::quant::QuantizedRef;

/// A weight whose rows are whole blocks of a multiple of [`BLOCK`] values.
pub struct Blocks<'a> {
    isa: Isa,
    blocks: QuantizedRef<'a>,
    scales: Scales<'a>,
    cols: usize,
    /// What each code stands for, times 127, plus 128.
    table: [u8; 16],
    x: &'a Rounded,
}

/// Can this kernel read the weight?
pub fn fits(weight: &Matrix) -> bool {
    let size = weight.blocks().map_or(0, |blocks| blocks.scheme().blocksize());
    size > 0 && size.is_multiple_of(BLOCK) && weight.cols().is_multiple_of(size)
}

impl<'a> Blocks<'a> {
    pub fn new(isa: Isa, weight: &'a Matrix, x: &'a Rounded) -> Self {
        let blocks = weight.blocks().expect("only made for 4-bit blocks");
        let table = blocks.scheme().code().values().map(|v| ((v * 127.0).round_ties_even() as i8 as u8) ^ 128);
        Self { isa, scales: Scales::new(&blocks), cols: weight.cols(), blocks, table, x }
    }

    /// The sums of features `first..first + count` for every row of `x`.
    pub fn sum(&self, first: usize, count: usize, scratch: &mut Vec<f32>, sums: &mut Sums) {
        let (bytes, blocks) = (self.cols / 2, self.cols / BLOCK);
        if scratch.len() < count * blocks + 16 {
            scratch.resize(count * blocks + 16, 0.0);
        }
        self.read_scales(first, count, scratch);
        let group = BlockGroup {
            nibbles: &self.blocks.codes()[first * bytes..(first + count) * bytes],
            bytes,
            scales: scratch,
            blocks,
            table: &self.table,
            x: self.x,
            count,
        };
        match self.isa {
            // SAFETY: the set is only chosen where the processor has it; the group is as the kernel needs it.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Bf16 => unsafe { super::avx512::blocks(&group, sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::Avx2Vnni => unsafe { super::avx2::blocks(&group, sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => unsafe { super::neon::blocks(&group, sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot | Isa::NeonI8mm => unsafe { super::neon::blocks_dot(&group, sums) },
            _ => portable(&group, sums),
        }
        // Codes are 127 times what they stand for.
        sums.iter_mut().flatten().for_each(|sum| *sum *= 1.0 / 127.0);
    }

    fn read_scales(&self, first: usize, count: usize, out: &mut [f32]) {
        let (blocks, parts) = (self.cols / BLOCK, self.blocks.scheme().blocksize() / BLOCK);
        let own = blocks / parts;
        self.scales.read(first * own, &mut out[..count * own]);
        if parts > 1 {
            // A larger block lends its scale to each of its parts; from the end, so that none is overwritten too early.
            (0..count * blocks).rev().for_each(|part| out[part] = out[part / parts]);
        }
    }
}

/// Codes of either of a pair's blocks in each half of the order [`super::rounded::Order::Nibbles`].
const HALF: usize = BLOCK / 2;

fn portable(group: &BlockGroup, sums: &mut Sums) {
    let mut row = vec![[0i16; HALF]; 4 * group.x.pairs];
    let rows = 0..group.x.rows.min(FEW_ROWS);
    let mut codes = Vec::new();
    rows.clone().for_each(|x| codes.extend(group.x.codes(x).iter().map(|code| i16::from(*code))));
    for feature in 0..group.count {
        let nibbles = &group.nibbles[feature * group.bytes..][..group.bytes];
        // In the order of the activations: high nibbles of two blocks, then their low ones.
        for (bytes, out) in nibbles.chunks(BLOCK).zip(row.as_flattened_mut().chunks_exact_mut(2 * BLOCK)) {
            let (high, low) = out.split_at_mut(BLOCK);
            for ((high, low), byte) in high.iter_mut().zip(low).zip(bytes) {
                *high = i16::from(group.table[usize::from(byte >> 4)]);
                *low = i16::from(group.table[usize::from(byte & 15)]);
            }
        }
        let scales = &group.scales[feature * group.blocks..][..group.blocks];
        for ((x, codes), sums) in rows.clone().zip(codes.as_chunks().0.chunks_exact(row.len())).zip(sums.iter_mut()) {
            let (x_scales, offsets) = (group.x.scales(x), group.x.offsets(x));
            let mut sum = 0.0;
            for (block, scale) in scales.iter().enumerate() {
                let at = block / 2 * 4 + block % 2;
                let products = dot(&row[at], &codes[at]) + dot(&row[at + 2], &codes[at + 2]);
                sum += (products as f32 * x_scales[block] + offsets[block]) * scale;
            }
            sums[feature] = sum;
        }
    }
}

fn dot(w: &[i16; HALF], a: &[i16; HALF]) -> i32 {
    let parts = w.as_chunks().0.iter().zip(a.as_chunks().0);
    parts.fold([0; 4], |sums, (w, a)| add_products(sums, w, a)).iter().sum()
}

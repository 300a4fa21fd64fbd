//! Weights in int8 rows: as [`super::blocks`], without the look-up and with one scale for a row.

use super::group::ByteGroup;
use super::rounded::{Rounded, BLOCK};
use super::Sums;
use crate::kernels::isa::Isa;
use crate::kernels::matrix::Storage;
use crate::kernels::Matrix;
use crate::quant::Floats;

/// A weight in int8.
pub struct Bytes<'a> {
    isa: Isa,
    codes: &'a [u8],
    scales: Floats<'a>,
    cols: usize,
    x: &'a Rounded,
}

impl<'a> Bytes<'a> {
    pub fn new(isa: Isa, weight: &'a Matrix, x: &'a Rounded) -> Self {
        let Storage::Int8 { codes, scales: (kind, scales) } = weight.storage() else {
            unreachable!("only made for int8 rows")
        };
        let scales = Floats::Bytes(*kind, scales.as_slice());
        Self { isa, codes: codes.as_slice(), scales, cols: weight.cols(), x }
    }

    /// The sums of features `first..first + count` for every row of `x`.
    pub fn sum(&self, first: usize, count: usize, sums: &mut Sums) {
        let codes = &self.codes[first * self.cols..(first + count) * self.cols];
        let group = ByteGroup { codes, cols: self.cols, x: self.x, count };
        match self.isa {
            // SAFETY: the set is only chosen where the processor has it.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Bf16 => unsafe { super::avx512::bytes(&group, sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => unsafe { super::neon::bytes(&group, sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot | Isa::NeonI8mm => unsafe { super::neon::bytes_dot(&group, sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::Avx2Vnni => unsafe { super::avx2::bytes(&group, sums) },
            _ => portable(&group, sums),
        }
        for feature in 0..count {
            let scale = self.scales.get(first + feature) / 127.0;
            sums.iter_mut().for_each(|sums| sums[feature] *= scale);
        }
    }
}

fn portable(group: &ByteGroup, sums: &mut Sums) {
    for (feature, codes) in group.codes.chunks_exact(group.cols).enumerate() {
        for (x, sums) in (0..group.x.rows).zip(sums.iter_mut()) {
            let blocks = codes.chunks(BLOCK).zip(group.x.codes(x).chunks_exact(BLOCK)).zip(group.x.scales(x));
            sums[feature] = blocks
                .map(|((w, x), scale)| {
                    let sum: i32 = w.iter().zip(x).map(|(w, x)| i32::from(*w as i8) * i32::from(*x)).sum();
                    sum as f32 * scale
                })
                .sum();
        }
    }
}

//! Weights in floating-point numbers, widened in registers.

use super::group::FloatGroup;
use super::{dot, Sums};
use crate::kernels::isa::Isa;
use crate::kernels::matrix::Storage;
use crate::kernels::Matrix;
use crate::quant::{FloatType, Numbers};

/// A weight in f16, bf16 or f32.
pub struct Floats<'a> {
    isa: Isa,
    kind: FloatType,
    bytes: &'a [u8],
    cols: usize,
    x: &'a [f32],
}

impl<'a> Floats<'a> {
    pub fn new(isa: Isa, weight: &'a Matrix, x: &'a [f32]) -> Self {
        let Storage::Float(kind, bytes) = weight.storage() else {
            unreachable!("only made for floating-point numbers")
        };
        Self { isa, kind: *kind, bytes: bytes.as_slice(), cols: weight.cols(), x }
    }

    /// The sums of features `first..first + count` for every row of `x`.
    pub fn sum(&self, first: usize, count: usize, sums: &mut Sums) {
        let row = self.cols * self.kind.size();
        let bytes = &self.bytes[first * row..(first + count) * row];
        let group = FloatGroup { bytes, cols: self.cols, x: self.x, count };
        match (self.isa, self.kind) {
            // SAFETY: the set is only chosen where the processor has it; the bytes are numbers of the kind.
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 | Isa::Avx512Bf16, FloatType::F16) => unsafe { super::avx512::f16s(&group, sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 | Isa::Avx512Bf16, FloatType::Bf16) => unsafe { super::avx512::bf16s(&group, sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 | Isa::Avx512Bf16, FloatType::F32) => unsafe { super::avx512::f32s(&group, sums) },
            _ => self.portable(&group, sums),
        }
    }

    fn portable(&self, group: &FloatGroup, sums: &mut Sums) {
        let mut row = vec![0.0; group.cols];
        for (feature, bytes) in group.bytes.chunks_exact(group.cols * self.kind.size()).enumerate() {
            Numbers::Bytes(self.kind, bytes).read(0, &mut row);
            for (x, sums) in group.x.chunks_exact(group.cols).zip(sums.iter_mut()) {
                sums[feature] = dot(x, &row);
            }
        }
    }
}

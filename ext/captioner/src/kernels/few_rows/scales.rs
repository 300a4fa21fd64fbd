//! Scales of 4-bit blocks, many at a time.

#[cfg(target_arch = "x86_64")]
use super::avx512;
use crate::kernels::Isa;
use crate::quant::{Floats, QuantizedRef, ScalesRef, NESTED_BLOCKSIZE};

/// Where the scales of a weight are, with the table of 8-bit scales at hand.
pub enum Scales<'a> {
    Plain(Floats<'a>),
    Double { q: &'a [u8], absmax2: Floats<'a>, offset: f32, map: Box<[f32; 256]> },
}

impl<'a> Scales<'a> {
    pub fn new(blocks: &QuantizedRef<'a>) -> Self {
        match blocks.scales() {
            ScalesRef::Plain(scales) => Self::Plain(scales),
            ScalesRef::Double { q, absmax2, offset, map } => {
                let mut table = Box::new([0.0; 256]);
                table.iter_mut().enumerate().for_each(|(i, entry)| *entry = map.get(i));
                Self::Double { q, absmax2, offset, map: table }
            }
        }
    }

    /// Writes the scales of `out.len()` blocks from block `first` on.
    pub fn read(&self, first: usize, out: &mut [f32]) {
        match self {
            Self::Plain(scales) => {
                out.iter_mut().enumerate().for_each(|(i, scale)| *scale = scales.get(first + i));
            }
            Self::Double { q, absmax2, offset, map } => {
                let (mut first, mut out) = (first, out);
                while !out.is_empty() {
                    let here = out.len().min(NESTED_BLOCKSIZE - first % NESTED_BLOCKSIZE);
                    let magnitude = absmax2.get(first / NESTED_BLOCKSIZE);
                    let (now, later) = out.split_at_mut(here);
                    let q = &q[first..first + here];
                    let done = match Isa::current() {
                        // SAFETY: the set is only chosen where the processor has it.
                        #[cfg(target_arch = "x86_64")]
                        Isa::Avx512 | Isa::Avx512Bf16 => unsafe { avx512::scales(map, q, magnitude, *offset, now) },
                        _ => 0,
                    };
                    look_up(map, &q[done..], magnitude, *offset, &mut now[done..]);
                    (first, out) = (first + here, later);
                }
            }
        }
    }
}

/// `out[i] = map[q[i]] * factor + offset`.
fn look_up(map: &[f32; 256], q: &[u8], factor: f32, offset: f32, out: &mut [f32]) {
    for (out, q) in out.iter_mut().zip(q) {
        *out = map[usize::from(*q)] * factor + offset;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::panels::tests::{nf4, nf4_double};

    #[test]
    fn every_scale_is_that_of_its_block() {
        for weight in [nf4(7, 128, 64), nf4_double(70, 640)] {
            let blocks = weight.blocks().unwrap();
            let count = blocks.scheme().blocks(blocks.len());
            for first in [0, 1, count / 2] {
                let mut out = vec![0.0; count - first];
                Scales::new(&blocks).read(first, &mut out);
                for (i, scale) in out.iter().enumerate() {
                    let expected = blocks.scale(first + i);
                    assert!((scale - expected).abs() <= expected.abs() * 1e-6, "{i}: {scale} {expected}");
                }
            }
        }
    }
}

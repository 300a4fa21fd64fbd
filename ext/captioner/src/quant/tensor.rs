//! A tensor in 4-bit blocks: owned, and borrowed.

use std::ops::Range;

use super::{decode, dynamic, Floats, Scheme, NESTED_BLOCKSIZE};
use crate::error::{Error, Result};

/// The scales of an owned tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Scales {
    /// One per block.
    Plain(Vec<f32>),
    /// Per block an 8-bit code over [`dynamic::map`], per 256 blocks a magnitude, and the mean of all scales.
    Double { q: Vec<u8>, absmax2: Vec<f32>, offset: f32 },
}

/// The scales of a borrowed tensor. `map` holds 256 values: [`dynamic::map`], or an imported checkpoint's own, which
/// may differ in its first entry.
#[derive(Debug, Clone, Copy)]
pub enum ScalesRef<'a> {
    Plain(Floats<'a>),
    Double { q: &'a [u8], absmax2: Floats<'a>, offset: f32, map: Floats<'a> },
}

/// A tensor of `len` values in 4-bit blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantized {
    scheme: Scheme,
    len: usize,
    codes: Vec<u8>,
    scales: Scales,
}

/// A borrowed tensor in 4-bit blocks. Copying it copies references.
#[derive(Debug, Clone, Copy)]
pub struct QuantizedRef<'a> {
    scheme: Scheme,
    len: usize,
    codes: &'a [u8],
    scales: ScalesRef<'a>,
}

impl Quantized {
    /// # Errors
    /// See [`QuantizedRef::new`].
    pub fn new(scheme: Scheme, len: usize, codes: Vec<u8>, scales: Scales) -> Result<Self> {
        let owned = Quantized { scheme, len, codes, scales };
        QuantizedRef::new(scheme, len, &owned.codes, owned.scales.view())?;
        Ok(owned)
    }

    /// The borrowed form, which does the reading.
    pub fn view(&self) -> QuantizedRef<'_> {
        QuantizedRef { scheme: self.scheme, len: self.len, codes: &self.codes, scales: self.scales.view() }
    }

    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Two codes per byte, the even value's in the high nibble.
    pub fn codes(&self) -> &[u8] {
        &self.codes
    }

    pub fn scales(&self) -> &Scales {
        &self.scales
    }

    pub fn into_parts(self) -> (Scheme, usize, Vec<u8>, Scales) {
        (self.scheme, self.len, self.codes, self.scales)
    }

    /// See [`QuantizedRef::scale`].
    pub fn scale(&self, block: usize) -> f32 {
        self.view().scale(block)
    }

    /// See [`QuantizedRef::dequantize`].
    pub fn dequantize(&self, range: Range<usize>, out: &mut [f32]) {
        self.view().dequantize(range, out);
    }
}

impl Scales {
    /// The borrowed form.
    pub fn view(&self) -> ScalesRef<'_> {
        match self {
            Scales::Plain(scales) => ScalesRef::Plain(Floats::F32(scales)),
            Scales::Double { q, absmax2, offset } => ScalesRef::Double {
                q,
                absmax2: Floats::F32(absmax2),
                offset: *offset,
                map: Floats::F32(dynamic::map()),
            },
        }
    }
}

impl ScalesRef<'_> {
    /// The scale of a block.
    ///
    /// # Panics
    /// If there is no such block.
    #[inline]
    pub fn scale(&self, block: usize) -> f32 {
        match self {
            ScalesRef::Plain(scales) => scales.get(block),
            ScalesRef::Double { q, absmax2, offset, map } => {
                map.get(usize::from(q[block])) * absmax2.get(block / NESTED_BLOCKSIZE) + offset
            }
        }
    }
}

impl<'a> QuantizedRef<'a> {
    /// # Errors
    /// `CorruptModel` if a part's length does not follow from `len` and the scheme, or if the scales are not of the
    /// scheme's kind. The message names the part, not the tensor.
    pub fn new(scheme: Scheme, len: usize, codes: &'a [u8], scales: ScalesRef<'a>) -> Result<Self> {
        let blocks = scheme.blocks(len);
        expect("codes", codes.len(), scheme.code_bytes(len))?;
        match &scales {
            ScalesRef::Plain(scales) if !scheme.double_quant() => expect("scales", scales.len(), blocks)?,
            ScalesRef::Double { q, absmax2, map, .. } if scheme.double_quant() => {
                expect("8-bit scales", q.len(), blocks)?;
                expect("magnitudes of scales", absmax2.len(), blocks.div_ceil(NESTED_BLOCKSIZE))?;
                expect("entries of the scale map", map.len(), 256)?;
            }
            _ => return Err(Error::CorruptModel("plain scales where double ones belong, or the reverse".into())),
        }
        Ok(QuantizedRef { scheme, len, codes, scales })
    }

    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Two codes per byte, the even value's in the high nibble.
    pub fn codes(&self) -> &'a [u8] {
        self.codes
    }

    pub fn scales(&self) -> ScalesRef<'a> {
        self.scales
    }

    /// The scale of a block: the largest magnitude among its values, as far as double quantization kept it.
    ///
    /// # Panics
    /// If there is no such block.
    #[inline]
    pub fn scale(&self, block: usize) -> f32 {
        self.scales.scale(block)
    }

    /// Writes the values of elements `range` of the row-major tensor to `out`, on the calling thread.
    ///
    /// # Panics
    /// If `range` leaves the tensor or `out` has another length.
    pub fn dequantize(&self, range: Range<usize>, out: &mut [f32]) {
        assert!(range.end <= self.len, "elements {range:?} of a tensor of {}", self.len);
        assert_eq!(range.len(), out.len(), "an output of another length than the range");
        let blocksize = self.scheme.blocksize();
        let isa = decode::Isa::detect();
        let mut start = range.start;
        let mut out = out;
        while !out.is_empty() {
            let block = start / blocksize;
            let end = range.end.min((block + 1) * blocksize);
            let (here, later) = out.split_at_mut(end - start);
            let scale = self.scale(block);
            let table = self.scheme.code().values().map(|value| value * scale);
            decode::decode(isa, &table, self.codes, start, here);
            start = end;
            out = later;
        }
    }

    /// All values.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.len];
        self.dequantize(0..self.len, &mut out);
        out
    }

    /// A copy that owns its parts.
    ///
    /// # Errors
    /// `UnsupportedModel` if the scale map is not [`dynamic::map`]: an owned tensor does not keep a map of its own.
    pub fn to_owned(&self) -> Result<Quantized> {
        let scales = match &self.scales {
            ScalesRef::Plain(scales) => Scales::Plain(scales.to_vec()),
            ScalesRef::Double { q, absmax2, offset, map } => {
                // The first entry's value only matters where a code uses it.
                let foreign = (0..256).any(|i| map.get(i) != dynamic::map()[i] && (i > 0 || q.contains(&0)));
                if foreign {
                    return Err(Error::UnsupportedModel(
                        "scales over a map other than bitsandbytes' dynamic one".into(),
                    ));
                }
                Scales::Double { q: q.to_vec(), absmax2: absmax2.to_vec(), offset: *offset }
            }
        };
        Quantized::new(self.scheme, self.len, self.codes.to_vec(), scales)
    }
}

fn expect(what: &str, found: usize, wanted: usize) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::CorruptModel(format!("{found} {what} where {wanted} belong")))
}

//! The sixteen values that a 4-bit code can stand for.

/// A table from a 4-bit code to a value in -1..=1, in units of the block's scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codebook {
    /// NormalFloat: quantiles of the normal distribution, with an exact zero (arXiv 2305.14314, appendix E).
    Nf4,
    /// Sign, two exponent bits, one mantissa bit. Its codes are not in order of value; it is read, never written.
    Fp4,
    /// Fifteen equal steps, `(code - 7) / 7`. Code 15 repeats 1.0 and is never written, so zero stays exact and
    /// the range symmetric.
    Int4,
}

const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

const FP4: [f32; 16] = {
    // The magnitudes of codes 0 to 7 in the format's own units; codes 8 to 15 are their negatives.
    let magnitudes = [0.0f32, 0.0625, 8.0, 12.0, 4.0, 6.0, 2.0, 3.0];
    let mut table = [0.0; 16];
    let mut i = 0;
    while i < 8 {
        table[i] = magnitudes[i] / 12.0;
        table[i + 8] = 0.0 - table[i];
        i += 1;
    }
    table
};

const INT4: [f32; 16] = {
    let mut table = [1.0; 16];
    let mut i = 0;
    while i < 15 {
        table[i] = (i as f32 - 7.0) / 7.0;
        i += 1;
    }
    table
};

/// The halfway points between neighbours of a sorted table.
const fn midpoints(table: &[f32; 16]) -> [f32; 15] {
    let mut bounds = [0.0; 15];
    let mut i = 0;
    while i < 15 {
        bounds[i] = (table[i] + table[i + 1]) / 2.0;
        i += 1;
    }
    bounds
}

static NF4_BOUNDS: [f32; 15] = midpoints(&NF4);
static INT4_BOUNDS: [f32; 15] = midpoints(&INT4);

impl Codebook {
    /// The value of each code, in units of the block's scale.
    pub fn values(self) -> &'static [f32; 16] {
        match self {
            Codebook::Nf4 => &NF4,
            Codebook::Fp4 => &FP4,
            Codebook::Int4 => &INT4,
        }
    }

    /// `nf4`, `fp4` or `int4`: the name in bitsandbytes' metadata and in ours.
    pub fn name(self) -> &'static str {
        match self {
            Codebook::Nf4 => "nf4",
            Codebook::Fp4 => "fp4",
            Codebook::Int4 => "int4",
        }
    }

    /// The table of this [`name`](Self::name), if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Codebook::Nf4, Codebook::Fp4, Codebook::Int4].into_iter().find(|code| code.name() == name)
    }

    /// The boundaries between codes: a value takes the number of bounds strictly below it, so a value on a bound
    /// takes the lower code (`torch.bucketize`'s rule). `None` for a table that is only read.
    pub(super) fn bounds(self) -> Option<&'static [f32; 15]> {
        match self {
            Codebook::Nf4 => Some(&NF4_BOUNDS),
            Codebook::Int4 => Some(&INT4_BOUNDS),
            Codebook::Fp4 => None,
        }
    }
}

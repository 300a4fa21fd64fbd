//! Blocks in arithmetic coding (annexes D, F and G of the standard; libjpeg's jdarith.c for what broken data gives).

use super::header::Header;
use super::script::{natural, Part, Scan};

/// The state of a decision of equal chances.
const EVEN: u8 = 113;

/// The running state of the decoder.
pub(super) struct Coder<'a> {
    bytes: &'a [u8],
    /// The next byte to read; at a marker, its first byte.
    pub(super) at: usize,
    /// The data has ended with the file and not at a marker.
    pub(super) at_end_of_file: bool,
    /// Base and size of the interval, and the bits in `base` below it.
    base: u64,
    size: u32,
    shift: i32,
    /// Statistics of each table: for each decision its place in [`STATES`], and the likelier outcome in the highest bit.
    dc: [[u8; 64]; 16],
    ac: [[u8; 256]; 16],
    /// For each component the last DC value and the kind of its last difference.
    predictions: [i32; 4],
    kinds: [usize; 4],
    /// Impossible data: nothing more is coded before the next restart.
    broken: bool,
}

/// The data holds a value that cannot be.
struct Impossible;

impl<'a> Coder<'a> {
    pub(super) fn new(header: &Header<'a>) -> Self {
        Coder {
            bytes: header.bytes,
            at: header.at,
            at_end_of_file: false,
            base: 0,
            size: 0,
            shift: -16,
            dc: [[0; 64]; 16],
            ac: [[0; 256]; 16],
            predictions: [0; 4],
            kinds: [0; 4],
            broken: false,
        }
    }

    /// Starts afresh.
    pub(super) fn restart(&mut self, at: usize) {
        (self.at, self.base, self.size, self.shift, self.broken) = (at, 0, 0, -16, false);
        (self.dc, self.ac) = ([[0; 64]; 16], [[0; 256]; 16]);
        (self.predictions, self.kinds) = ([0; 4], [0; 4]);
    }

    /// One block of a sequential scan.
    pub(super) fn sequential(&mut self, block: &mut [i16; 64], part: Part, header: &Header<'_>) {
        self.guarded(|coder| {
            block[0] = coder.dc(part, header)? as i16;
            coder.ac_first(block, part, 1, 63, 0, header)
        });
    }

    /// What a progressive scan says of one block.
    pub(super) fn progressive(&mut self, block: &mut [i16; 64], part: Part, scan: &Scan, header: &Header<'_>) {
        self.guarded(|coder| match (scan.first, scan.high) {
            (0, 0) => {
                block[0] = (coder.dc(part, header)? << scan.low) as i16;
                Ok(())
            }
            (0, _) => {
                block[0] |= i16::from(coder.even()) << scan.low;
                Ok(())
            }
            (_, 0) => coder.ac_first(block, part, scan.first, scan.last, scan.low, header),
            _ => coder.ac_refine(block, part, scan),
        });
    }

    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<(), Impossible>) {
        if !self.broken {
            self.broken = work(self).is_err();
        }
    }

    fn byte(&mut self) -> u8 {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let run = rest.iter().take_while(|&&byte| byte == 0xff).count();
        match (run, rest.get(run)) {
            (_, None) => {
                self.at_end_of_file = true;
                0
            }
            (0, Some(&byte)) => {
                self.at += 1;
                byte
            }
            (_, Some(0)) => {
                self.at += run + 1;
                0xff
            }
            // At a marker zeros go on, as many as are asked for.
            _ => {
                self.at += run - 1;
                0
            }
        }
    }

    /// One decision (figures D.10 to D.20, with base and coming bits in one register).
    fn decide(&mut self, state: &mut u8) -> bool {
        while self.size < 0x8000 {
            self.shift -= 1;
            if self.shift < 0 {
                self.base = self.base << 8 | u64::from(self.byte());
                self.shift += 8;
                if self.shift < 0 {
                    self.shift += 1;
                    if self.shift == 0 {
                        // Both bytes that begin the data are there.
                        self.size = 0x8000;
                    }
                }
            }
            self.size <<= 1;
        }
        let likelier = *state & 0x80;
        let (chance, after_less, after_more, switch) = STATES[usize::from(*state & 0x7f)];
        let chance = u32::from(chance);
        self.size -= chance;
        let top = u64::from(self.size) << self.shift;
        let upper = self.base >= top;
        if !upper && self.size >= 0x8000 {
            return likelier != 0;
        }
        // The smaller part of the interval is the less likely outcome, whichever it is.
        let less_likely = upper != (self.size < chance);
        if upper {
            self.base -= top;
            self.size = chance;
        }
        if less_likely {
            *state = likelier ^ after_less ^ if switch { 0x80 } else { 0 };
        } else {
            *state = likelier ^ after_more;
        }
        (likelier != 0) != less_likely
    }

    fn even(&mut self) -> bool {
        let mut state = EVEN;
        self.decide(&mut state)
    }

    fn decide_dc(&mut self, table: usize, at: usize) -> bool {
        let mut state = self.dc[table][at];
        let decision = self.decide(&mut state);
        self.dc[table][at] = state;
        decision
    }

    fn decide_ac(&mut self, table: usize, at: usize) -> bool {
        let mut state = self.ac[table][at];
        let decision = self.decide(&mut state);
        self.ac[table][at] = state;
        decision
    }

    /// The next DC value (figures F.19 to F.24).
    fn dc(&mut self, part: Part, header: &Header<'_>) -> Result<i32, Impossible> {
        let Part { component, dc: table, .. } = part;
        let kind = self.kinds[component];
        if !self.decide_dc(table, kind) {
            self.kinds[component] = 0;
            return Ok(self.predictions[component]);
        }
        let negative = self.decide_dc(table, kind + 1);
        let mut at = kind + 2 + usize::from(negative);
        let mut magnitude = i32::from(self.decide_dc(table, at));
        if magnitude != 0 {
            at = 20;
            while self.decide_dc(table, at) {
                magnitude <<= 1;
                if magnitude == 0x8000 {
                    return Err(Impossible);
                }
                at += 1;
            }
        }
        let (least, most) = header.small[table];
        self.kinds[component] = match magnitude {
            m if m < (1 << least) >> 1 => 0,
            m if m > (1 << most) >> 1 => 12 + 4 * usize::from(negative),
            _ => 4 + 4 * usize::from(negative),
        };
        let value = self.pattern(magnitude, |coder| coder.decide_dc(table, at + 14));
        let difference = if negative { -value } else { value };
        self.predictions[component] = (self.predictions[component] + difference) & 0xffff;
        Ok(self.predictions[component])
    }

    /// The bits below the highest one of a magnitude, and one more than all of it.
    fn pattern(&mut self, magnitude: i32, mut bit: impl FnMut(&mut Self) -> bool) -> i32 {
        let (mut value, mut mask) = (magnitude, magnitude >> 1);
        while mask != 0 {
            if bit(self) {
                value |= mask;
            }
            mask >>= 1;
        }
        value + 1
    }

    /// AC coefficients of a block that has none yet (figure F.20).
    fn ac_first(
        &mut self,
        block: &mut [i16; 64],
        part: Part,
        first: usize,
        last: usize,
        low: u32,
        header: &Header<'_>,
    ) -> Result<(), Impossible> {
        let table = part.ac;
        let mut k = first;
        while k <= last {
            if self.decide_ac(table, 3 * (k - 1)) {
                break;
            }
            while !self.decide_ac(table, 3 * (k - 1) + 1) {
                k += 1;
                if k > last {
                    return Err(Impossible);
                }
            }
            let negative = self.even();
            let mut at = 3 * (k - 1) + 2;
            let mut magnitude = i32::from(self.decide_ac(table, at));
            if magnitude != 0 && self.decide_ac(table, at) {
                magnitude = 2;
                at = if k <= usize::from(header.low[table]) { 189 } else { 217 };
                while self.decide_ac(table, at) {
                    magnitude <<= 1;
                    if magnitude == 0x8000 {
                        return Err(Impossible);
                    }
                    at += 1;
                }
            }
            let value = self.pattern(magnitude, |coder| coder.decide_ac(table, at + 14));
            block[natural(k)] = (if negative { -value } else { value } << low) as i16;
            k += 1;
        }
        Ok(())
    }

    /// One more bit of AC coefficients (annex G.1.3.3).
    fn ac_refine(&mut self, block: &mut [i16; 64], part: Part, scan: &Scan) -> Result<(), Impossible> {
        let (table, bit) = (part.ac, 1i16 << scan.low);
        let known = (1..=scan.last).rev().find(|&k| block[natural(k)] != 0).unwrap_or(0);
        let mut k = scan.first;
        while k <= scan.last {
            if k > known && self.decide_ac(table, 3 * (k - 1)) {
                break;
            }
            loop {
                let coefficient = &mut block[natural(k)];
                if *coefficient != 0 {
                    if self.decide_ac(table, 3 * (k - 1) + 2) {
                        *coefficient = coefficient.wrapping_add(if *coefficient < 0 { -bit } else { bit });
                    }
                    break;
                }
                if self.decide_ac(table, 3 * (k - 1) + 1) {
                    *coefficient = if self.even() { -bit } else { bit };
                    break;
                }
                k += 1;
                if k > scan.last {
                    return Err(Impossible);
                }
            }
            k += 1;
        }
        Ok(())
    }
}

/// The estimates of probability (table D.3): the chance of the less likely outcome, the place after it and after the
/// likelier one, and whether the likelier one changes. The last is that of equal chances, which never moves.
#[rustfmt::skip]
const STATES: [(u16, u8, u8, bool); 114] = [
    (0x5a1d, 1, 1, true), (0x2586, 14, 2, false), (0x1114, 16, 3, false), (0x080b, 18, 4, false),
    (0x03d8, 20, 5, false), (0x01da, 23, 6, false), (0x00e5, 25, 7, false), (0x006f, 28, 8, false),
    (0x0036, 30, 9, false), (0x001a, 33, 10, false), (0x000d, 35, 11, false), (0x0006, 9, 12, false),
    (0x0003, 10, 13, false), (0x0001, 12, 13, false), (0x5a7f, 15, 15, true), (0x3f25, 36, 16, false),
    (0x2cf2, 38, 17, false), (0x207c, 39, 18, false), (0x17b9, 40, 19, false), (0x1182, 42, 20, false),
    (0x0cef, 43, 21, false), (0x09a1, 45, 22, false), (0x072f, 46, 23, false), (0x055c, 48, 24, false),
    (0x0406, 49, 25, false), (0x0303, 51, 26, false), (0x0240, 52, 27, false), (0x01b1, 54, 28, false),
    (0x0144, 56, 29, false), (0x00f5, 57, 30, false), (0x00b7, 59, 31, false), (0x008a, 60, 32, false),
    (0x0068, 62, 33, false), (0x004e, 63, 34, false), (0x003b, 32, 35, false), (0x002c, 33, 9, false),
    (0x5ae1, 37, 37, true), (0x484c, 64, 38, false), (0x3a0d, 65, 39, false), (0x2ef1, 67, 40, false),
    (0x261f, 68, 41, false), (0x1f33, 69, 42, false), (0x19a8, 70, 43, false), (0x1518, 72, 44, false),
    (0x1177, 73, 45, false), (0x0e74, 74, 46, false), (0x0bfb, 75, 47, false), (0x09f8, 77, 48, false),
    (0x0861, 78, 49, false), (0x0706, 79, 50, false), (0x05cd, 48, 51, false), (0x04de, 50, 52, false),
    (0x040f, 50, 53, false), (0x0363, 51, 54, false), (0x02d4, 52, 55, false), (0x025c, 53, 56, false),
    (0x01f8, 54, 57, false), (0x01a4, 55, 58, false), (0x0160, 56, 59, false), (0x0125, 57, 60, false),
    (0x00f6, 58, 61, false), (0x00cb, 59, 62, false), (0x00ab, 61, 63, false), (0x008f, 61, 32, false),
    (0x5b12, 65, 65, true), (0x4d04, 80, 66, false), (0x412c, 81, 67, false), (0x37d8, 82, 68, false),
    (0x2fe8, 83, 69, false), (0x293c, 84, 70, false), (0x2379, 86, 71, false), (0x1edf, 87, 72, false),
    (0x1aa9, 87, 73, false), (0x174e, 72, 74, false), (0x1424, 72, 75, false), (0x119c, 74, 76, false),
    (0x0f6b, 74, 77, false), (0x0d51, 75, 78, false), (0x0bb6, 77, 79, false), (0x0a40, 77, 48, false),
    (0x5832, 80, 81, true), (0x4d1c, 88, 82, false), (0x438e, 89, 83, false), (0x3bdd, 90, 84, false),
    (0x34ee, 91, 85, false), (0x2eae, 92, 86, false), (0x299a, 93, 87, false), (0x2516, 86, 71, false),
    (0x5570, 88, 89, true), (0x4ca9, 95, 90, false), (0x44d9, 96, 91, false), (0x3e22, 97, 92, false),
    (0x3824, 99, 93, false), (0x32b4, 99, 94, false), (0x2e17, 93, 86, false), (0x56a8, 95, 96, true),
    (0x4f46, 101, 97, false), (0x47e5, 102, 98, false), (0x41cf, 103, 99, false), (0x3c3d, 104, 100, false),
    (0x375e, 99, 93, false), (0x5231, 105, 102, false), (0x4c0f, 106, 103, false), (0x4639, 107, 104, false),
    (0x415e, 103, 99, false), (0x5627, 105, 106, true), (0x50e7, 108, 107, false), (0x4b85, 109, 103, false),
    (0x5597, 110, 109, false), (0x504f, 111, 107, false), (0x5a10, 110, 111, true), (0x5522, 112, 109, false),
    (0x59eb, 112, 111, true), (0x5a1d, 113, 113, false),
];

//! Blocks in Huffman coding (libjpeg's jdhuff.c and jdphuff.c).

use super::bits::{Bits, Table};
use super::header::Header;
use super::script::{natural, Part, Scan};

/// The running state of the decoder.
pub(super) struct Coder<'a> {
    pub(super) bits: Bits<'a>,
    predictions: [i32; 4],
    /// Blocks that end here without saying so (progressive).
    end_of_band: u32,
    /// The data has run out at a marker: nothing more is coded before the next restart.
    pub(super) dry: bool,
}

impl<'a> Coder<'a> {
    pub(super) fn new(header: &Header<'a>) -> Self {
        Coder { bits: Bits::new(header.bytes, header.at), predictions: [0; 4], end_of_band: 0, dry: false }
    }

    /// Starts afresh behind a restart marker, or in front of another marker if none was `found`.
    pub(super) fn restart(&mut self, at: usize, found: bool) {
        self.bits.restart(at);
        self.predictions = [0; 4];
        self.end_of_band = 0;
        self.dry = self.dry && !found;
    }

    /// One block of a sequential scan.
    pub(super) fn sequential(&mut self, block: &mut [i16; 64], part: Part, header: &Header<'_>) {
        self.whole(block, part.component, header.dc(part.dc), header.ac(part.ac));
    }

    /// What a progressive scan says of one block.
    pub(super) fn progressive(&mut self, block: &mut [i16; 64], part: Part, scan: &Scan, header: &Header<'_>) {
        match (scan.first, scan.high) {
            (0, 0) => self.dc_first(block, part.component, header.dc(part.dc), scan.low),
            (0, _) => block[0] |= (self.bits.take(1) << scan.low) as i16,
            (_, 0) => self.ac_first(block, header.ac(part.ac), scan),
            _ => self.ac_refine(block, header.ac(part.ac), scan),
        }
    }
}

impl Coder<'_> {
    fn dc(&mut self, component: usize, table: Option<&Table>) -> i32 {
        let Some(table) = table else { return 0 };
        let size = self.bits.symbol(table);
        let difference = self.bits.signed(size.into());
        self.predictions[component] = self.predictions[component].wrapping_add(difference);
        self.predictions[component]
    }

    fn whole(&mut self, block: &mut [i16; 64], component: usize, dc: Option<&Table>, ac: Option<&Table>) {
        block[0] = self.dc(component, dc) as i16;
        let Some(ac) = ac else { return };
        let mut k = 1;
        while k < 64 {
            let symbol = self.bits.symbol(ac);
            let (run, size) = (usize::from(symbol >> 4), symbol & 15);
            if size == 0 {
                if run != 15 {
                    break;
                }
                k += 16;
                continue;
            }
            k += run;
            let value = self.bits.signed(size.into());
            block[natural(k)] = value as i16;
            k += 1;
        }
    }

    fn dc_first(&mut self, block: &mut [i16; 64], component: usize, table: Option<&Table>, low: u32) {
        block[0] = (self.dc(component, table) << low) as i16;
    }

    /// The run of blocks without further coefficients that `run` announces, this one included.
    fn band_end(&mut self, run: usize) -> u32 {
        (1 << run) + self.bits.take(run as u32) as u32
    }

    fn ac_first(&mut self, block: &mut [i16; 64], table: Option<&Table>, scan: &Scan) {
        let Some(table) = table else { return };
        if self.end_of_band > 0 {
            self.end_of_band -= 1;
            return;
        }
        let mut k = scan.first;
        while k <= scan.last {
            let symbol = self.bits.symbol(table);
            let (run, size) = (usize::from(symbol >> 4), symbol & 15);
            if size == 0 {
                if run != 15 {
                    self.end_of_band = self.band_end(run) - 1;
                    break;
                }
                k += 16;
                continue;
            }
            k += run;
            let value = self.bits.signed(size.into()) << scan.low;
            block[natural(k)] = value as i16;
            k += 1;
        }
    }

    fn ac_refine(&mut self, block: &mut [i16; 64], table: Option<&Table>, scan: &Scan) {
        let Some(table) = table else { return };
        // Most blocks of a long run have nothing to refine.
        if self.end_of_band > 0 && block[1..].iter().fold(0, |any, coefficient| any | coefficient) == 0 {
            self.end_of_band -= 1;
            return;
        }
        let bit = 1i16 << scan.low;
        let mut k = scan.first;
        if self.end_of_band == 0 {
            while k <= scan.last {
                let symbol = self.bits.symbol(table);
                let (mut run, size) = (i32::from(symbol >> 4), symbol & 15);
                let mut value = 0;
                if size != 0 {
                    value = if self.bits.take(1) != 0 { bit } else { -bit };
                } else if run != 15 {
                    self.end_of_band = self.band_end(run as usize);
                    break;
                }
                // Passes over `run` zeros and refines what lies between them.
                while k <= scan.last {
                    let coefficient = &mut block[natural(k)];
                    if *coefficient != 0 {
                        self.refine(coefficient, bit);
                    } else {
                        run -= 1;
                        if run < 0 {
                            break;
                        }
                    }
                    k += 1;
                }
                if value != 0 {
                    block[natural(k)] = value;
                }
                k += 1;
            }
        }
        if self.end_of_band > 0 {
            for k in k..=scan.last {
                let coefficient = &mut block[natural(k)];
                if *coefficient != 0 {
                    self.refine(coefficient, bit);
                }
            }
            self.end_of_band -= 1;
        }
    }

    fn refine(&mut self, coefficient: &mut i16, bit: i16) {
        if self.bits.take(1) != 0 && *coefficient & bit == 0 {
            *coefficient = coefficient.wrapping_add(if *coefficient >= 0 { bit } else { -bit });
        }
    }
}

//! One scan: which blocks it codes in which order, restarts, and the coding of a block (libjpeg's jdhuff.c and
//! jdphuff.c).

use super::super::limits::Failure;
use super::bits::{Bits, Table};
use super::header::{Header, NATURAL_ORDER};
use super::Frame;

/// What a scan header says.
struct Scan {
    /// Component, and its DC and AC table.
    parts: Vec<(usize, usize, usize)>,
    /// First and last coefficient, and the bit positions before and after (progressive).
    first: usize,
    last: usize,
    high: u32,
    low: u32,
}

/// The running state of the entropy decoder.
struct State<'a> {
    bits: Bits<'a>,
    predictions: [i32; 4],
    /// Blocks that end here without saying so (progressive).
    end_of_band: u32,
    /// The data has run out at a marker: nothing more is coded before the next restart.
    dry: bool,
}

/// Decodes a scan into the frame; the header's position moves behind it. True if the picture is complete with it.
pub(super) fn decode(frame: &mut Frame, header: &mut Header<'_>, segment: &[u8]) -> Result<bool, Failure> {
    let scan = Scan::read(frame, header, segment)?;
    for &(index, ..) in &scan.parts {
        let component = &mut frame.components[index];
        if component.quantization.is_none() {
            component.quantization = header.quantization[component.table];
        }
        if component.quantization.is_none() {
            return Err(Failure::unreadable("a quantization table is missing"));
        }
    }
    let bits = Bits::new(header.bytes, header.at);
    let mut state = State { bits, predictions: [0; 4], end_of_band: 0, dry: false };
    let interleaved = scan.parts.len() > 1;
    // A scan of one component has no padding blocks.
    let (columns, rows) = if interleaved {
        frame.units()
    } else {
        let component = &frame.components[scan.parts[0].0];
        (component.width.div_ceil(8), component.height.div_ceil(8))
    };
    let mut restart = Restart { left: header.restart_interval, expected: 0 };
    for unit in 0..columns * rows {
        if header.restart_interval > 0 {
            if restart.left == 0 {
                restart.run(&mut state, header)?;
            }
            restart.left -= 1;
        }
        let (unit_row, unit_column) = (unit / columns, unit % columns);
        let mut dry = state.dry;
        for &(index, dc, ac) in &scan.parts {
            let (h, v) = match interleaved {
                true => (frame.components[index].h, frame.components[index].v),
                false => (1, 1),
            };
            for block in 0..h * v {
                let (row, column) = (unit_row * v + block / h, unit_column * h + block % h);
                let component = &mut frame.components[index];
                let (dc, ac) = (header.dc(dc), header.ac(ac));
                if !frame.progressive {
                    let mut coefficients = [0; 64];
                    if !dry {
                        state.sequential(&mut coefficients, index, dc, ac);
                    }
                    let quantization = component.quantization.unwrap_or([0; 64]);
                    component.place(row, column, &coefficients, &quantization);
                } else if !dry {
                    let coefficients = &mut component.coefficients[row * component.block_columns + column];
                    match (scan.first, scan.high) {
                        (0, 0) => state.dc_first(coefficients, index, dc, scan.low),
                        (0, _) => coefficients[0] |= (state.bits.take(1) << scan.low) as i16,
                        (_, 0) => state.ac_first(coefficients, ac, &scan),
                        _ => state.ac_refine(coefficients, ac, &scan),
                    }
                }
            }
        }
        if !dry && state.bits.exhausted() {
            if state.bits.at_end_of_file() {
                return Err(Failure::truncated());
            }
            dry = true;
        }
        state.dry = dry;
    }
    header.at = state.bits.at;
    Ok(!frame.progressive && scan.parts.len() == frame.components.len())
}

impl Scan {
    fn read(frame: &Frame, header: &Header<'_>, segment: &[u8]) -> Result<Self, Failure> {
        let invalid = || Failure::unreadable("a scan header is invalid");
        let count = usize::from(*segment.first().ok_or_else(invalid)?);
        let rest = segment.get(1 + count * 2..1 + count * 2 + 3).ok_or_else(invalid)?;
        let mut parts: Vec<(usize, usize, usize)> = Vec::new();
        for entry in segment[1..1 + count * 2].chunks_exact(2) {
            let index = frame.components.iter().position(|c| c.id == entry[0]).ok_or_else(invalid)?;
            let (dc, ac) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
            if parts.iter().any(|part| part.0 == index) {
                return Err(invalid());
            }
            parts.push((index, dc, ac));
        }
        let blocks: usize = parts.iter().map(|part| frame.components[part.0].h * frame.components[part.0].v).sum();
        if parts.is_empty() || (parts.len() > 1 && blocks > 10) {
            return Err(invalid());
        }
        let (mut first, mut last) = (usize::from(rest[0]), usize::from(rest[1]));
        let (mut high, mut low) = (u32::from(rest[2] >> 4), u32::from(rest[2] & 15));
        if frame.progressive {
            let band = if first == 0 { last == 0 } else { first <= last && last < 64 && parts.len() == 1 };
            if !band || (high != 0 && low + 1 != high) || low > 13 {
                return Err(invalid());
            }
        } else {
            // Baseline encoders that write nonsense here are forgiven.
            (first, last, high, low) = (0, 63, 0, 0);
        }
        let needs_dc = first == 0 && high == 0;
        let needs_ac = last > 0;
        for &(_, dc, ac) in &parts {
            if (needs_dc && header.dc(dc).is_none()) || (needs_ac && header.ac(ac).is_none()) {
                return Err(Failure::unreadable("a Huffman table is missing"));
            }
        }
        Ok(Scan { parts, first, last, high, low })
    }
}

impl State<'_> {
    fn dc(&mut self, component: usize, table: Option<&Table>) -> i32 {
        let Some(table) = table else { return 0 };
        let size = self.bits.symbol(table);
        let difference = self.bits.signed(size.into());
        self.predictions[component] = self.predictions[component].wrapping_add(difference);
        self.predictions[component]
    }

    fn sequential(&mut self, block: &mut [i16; 64], component: usize, dc: Option<&Table>, ac: Option<&Table>) {
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

/// Where the k-th coefficient lies; broken runs beyond the block end in its last one, as in libjpeg.
fn natural(k: usize) -> usize {
    usize::from(NATURAL_ORDER[k.min(63)])
}

/// The markers that let a decoder start afresh every so many units.
struct Restart {
    left: usize,
    expected: u8,
}

impl Restart {
    fn run(&mut self, state: &mut State<'_>, header: &mut Header<'_>) -> Result<(), Failure> {
        header.at = state.bits.at;
        // What to do with an unexpected marker is libjpeg's heuristic (jpeg_resync_to_restart).
        let found = loop {
            let before = header.at;
            let marker = header.marker()?;
            let ahead = marker.wrapping_sub(0xd0).wrapping_sub(self.expected) & 7;
            match marker {
                0x00..=0xbf => continue,
                0xd0..=0xd7 if ahead == 6 || ahead == 7 => continue,
                0xd0..=0xd7 if ahead != 1 && ahead != 2 => break true,
                _ => {
                    // It belongs to what follows: this stretch is lost.
                    header.at = before;
                    break false;
                }
            }
        };
        state.bits.restart(header.at);
        state.predictions = [0; 4];
        state.end_of_band = 0;
        state.dry = state.dry && !found;
        self.expected = (self.expected + 1) & 7;
        self.left = header.restart_interval;
        Ok(())
    }
}

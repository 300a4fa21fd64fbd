//! One scan: which blocks it codes in which order, and restarts.

use super::super::context::Context;
use super::super::limits::Failure;
use super::header::Header;
use super::script::{Part, Scan};
use super::{arithmetic, huffman, Frame};

/// The decoder of a scan's entropy coding.
enum Coder<'a> {
    Huffman(huffman::Coder<'a>),
    Arithmetic(Box<arithmetic::Coder<'a>>),
}

impl Coder<'_> {
    /// Nothing more is coded before the next restart.
    fn dry(&self) -> bool {
        match self {
            Coder::Huffman(coder) => coder.dry,
            // Here zeros go on after the data, by design.
            Coder::Arithmetic(_) => false,
        }
    }

    /// Where the next byte would be read: at a marker, its first byte.
    fn at(&self) -> usize {
        match self {
            Coder::Huffman(coder) => coder.bits.at,
            Coder::Arithmetic(coder) => coder.at,
        }
    }

    fn restart(&mut self, at: usize, found: bool) {
        match self {
            Coder::Huffman(coder) => coder.restart(at, found),
            Coder::Arithmetic(coder) => coder.restart(at),
        }
    }

    fn block(&mut self, block: &mut [i16; 64], part: Part, scan: &Scan, header: &Header<'_>, progressive: bool) {
        match (self, progressive) {
            (Coder::Huffman(coder), false) => coder.sequential(block, part, header),
            (Coder::Huffman(coder), true) => coder.progressive(block, part, scan, header),
            (Coder::Arithmetic(coder), false) => coder.sequential(block, part, header),
            (Coder::Arithmetic(coder), true) => coder.progressive(block, part, scan, header),
        }
    }

    /// After a unit of blocks: an error if the data has ended with the file.
    fn account(&mut self) -> Result<(), Failure> {
        match self {
            Coder::Huffman(coder) if !coder.dry && coder.bits.exhausted() => {
                if coder.bits.at_end_of_file() {
                    return Err(Failure::truncated());
                }
                coder.dry = true;
            }
            Coder::Arithmetic(coder) if coder.at_end_of_file => return Err(Failure::truncated()),
            _ => {}
        }
        Ok(())
    }
}

/// Decodes a scan into the frame; the header's position moves behind it.
pub(super) fn decode(
    frame: &mut Frame,
    header: &mut Header<'_>,
    scan: &Scan,
    context: &Context<'_>,
) -> Result<(), Failure> {
    for part in &scan.parts {
        let component = &mut frame.components[part.component];
        if component.quantization.is_none() {
            component.quantization = header.quantization[component.table];
        }
        if component.quantization.is_none() {
            return Err(Failure::unreadable("a quantization table is missing"));
        }
    }
    let mut coder = match frame.arithmetic {
        false => Coder::Huffman(huffman::Coder::new(header)),
        true => Coder::Arithmetic(Box::new(arithmetic::Coder::new(header))),
    };
    let interleaved = scan.parts.len() > 1;
    let (columns, rows) = scan.units(frame);
    let mut restart = Restart { left: header.restart_interval, expected: 0 };
    for unit_row in 0..rows {
        context.go_on()?;
        // The row of units of all components that this one belongs to.
        let whole_row = if interleaved { unit_row } else { unit_row / frame.components[scan.parts[0].component].v };
        for unit_column in 0..columns {
            // As libjpeg counts it: asked before the restart that may end the drought.
            if !coder.dry() {
                frame.last_good_row = whole_row;
            }
            if header.restart_interval > 0 {
                if restart.left == 0 {
                    restart.run(&mut coder, header)?;
                }
                restart.left -= 1;
            }
            let dry = coder.dry();
            for &part in &scan.parts {
                let component = &mut frame.components[part.component];
                let (h, v) = if interleaved { (component.h, component.v) } else { (1, 1) };
                for block in 0..h * v {
                    let (row, column) = (unit_row * v + block / h, unit_column * h + block % h);
                    if component.coefficients.is_empty() {
                        let mut coefficients = [0; 64];
                        if !dry {
                            coder.block(&mut coefficients, part, scan, header, frame.progressive);
                        }
                        let quantization = component.quantization.unwrap_or([0; 64]);
                        component.place(row, column, &coefficients, &quantization);
                    } else if !dry {
                        let coefficients = &mut component.coefficients[row * component.block_columns + column];
                        coder.block(coefficients, part, scan, header, frame.progressive);
                    }
                }
            }
            coder.account()?;
        }
    }
    header.at = coder.at();
    Ok(())
}

/// The markers that let a decoder start afresh every so many units.
struct Restart {
    left: usize,
    expected: u8,
}

impl Restart {
    fn run(&mut self, coder: &mut Coder<'_>, header: &mut Header<'_>) -> Result<(), Failure> {
        header.at = coder.at();
        // What to do with an unexpected marker is libjpeg's heuristic (jpeg_resync_to_restart).
        let found = loop {
            let marker = header.marker().ok_or_else(Failure::truncated)?;
            let ahead = marker.wrapping_sub(0xd0).wrapping_sub(self.expected) & 7;
            match marker {
                0x00..=0xbf => continue,
                0xd0..=0xd7 if ahead == 6 || ahead == 7 => continue,
                0xd0..=0xd7 if ahead != 1 && ahead != 2 => break true,
                _ => {
                    // It belongs to what follows: this stretch is lost. Whatever preceded it is passed for good, or each
                    // restart would walk over it again.
                    header.at -= 2;
                    break false;
                }
            }
        };
        coder.restart(header.at, found);
        self.expected = (self.expected + 1) & 7;
        self.left = header.restart_interval;
        Ok(())
    }
}

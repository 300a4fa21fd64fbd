//! JPEG: baseline, extended and progressive, in Huffman and arithmetic coding, 8 bits, one, three or four components.
//!
//! Written here rather than taken from a crate because of the last bits: inverse transform, upsampling and colours are
//! those of libjpeg-turbo, through which Pillow reads, so the pixels are equal and not only close. Damage is treated as
//! Pillow treats it: data that ends with the file is an error, damage inside of it is decoded for what it is worth.

use super::context::Context;
use super::limits::Failure;
use super::{memory, RgbImage};

mod arithmetic;
mod bits;
mod header;
mod huffman;
mod idct;
mod output;
mod scan;
mod script;
mod smooth;

use header::{Header, Marker};
use output::Colours;
use script::Scan;
use smooth::Known;

/// More scans than any encoder writes. A crafted file could otherwise ask for endless work with few bytes.
const MOST_SCANS: usize = 256;
/// Blocks that all scans may visit together: so many, and more for each byte of the file. Ten scans of the largest picture
/// visit twelve million.
const MOST_BLOCKS: usize = 1 << 24;
const BLOCKS_A_BYTE: usize = 64;

/// One colour plane.
struct Component {
    id: u8,
    /// Sampling factors.
    h: usize,
    v: usize,
    /// Which quantization table the frame names for it.
    table: usize,
    /// That table as it was when the component's first scan began.
    quantization: Option<[u16; 64]>,
    /// Samples that carry picture, without padding.
    width: usize,
    height: usize,
    /// Blocks in a row and in a column, padded to whole units of all components.
    block_columns: usize,
    block_rows: usize,
    /// With several scans: the coefficients of every block, in natural order.
    coefficients: Vec<[i16; 64]>,
    /// How well they are known, and were before the component's last scan.
    known: Known,
    known_before: Known,
    /// Samples, `block_columns * 8` in a row.
    samples: Vec<u8>,
}

/// What the frame header says.
struct Frame {
    width: usize,
    height: usize,
    progressive: bool,
    arithmetic: bool,
    h_max: usize,
    v_max: usize,
    components: Vec<Component>,
    /// The last row of units that the last scan had data for.
    last_good_row: usize,
}

impl Frame {
    /// Units of all components in a row and in a column.
    fn units(&self) -> (usize, usize) {
        (self.width.div_ceil(8 * self.h_max), self.height.div_ceil(8 * self.v_max))
    }

    /// Makes room: for coefficients if `several` scans bring them, else for samples.
    fn allocate(&mut self, several: bool) -> Result<(), Failure> {
        for component in &mut self.components {
            let blocks = component.block_columns * component.block_rows;
            if several {
                component.coefficients = memory::filled([0; 64], blocks)?;
            } else {
                component.samples = memory::filled(128, blocks * 64)?;
            }
        }
        Ok(())
    }

    /// Notes what a scan, the `scans`-th of the file, is going to bring.
    fn note(&mut self, scan: &Scan, scans: usize) {
        for part in &scan.parts {
            let component = &mut self.components[part.component];
            for k in scan.first.min(1)..=scan.last.max(9) {
                component.known_before[k] = if scans > 1 { component.known[k] } else { 0 };
            }
            component.known[scan.first..=scan.last].fill(scan.low as i32);
        }
    }

    /// Every coefficient has been sent to its last bit.
    fn is_complete(&self) -> bool {
        self.components.iter().all(|component| component.known.iter().all(|&missing| missing == 0))
    }

    /// Coefficients to samples, now that every scan has been read.
    fn transform(&mut self, scans: usize, context: &Context<'_>) -> Result<(), Failure> {
        let state = (self.last_good_row, self.units().1, scans);
        let smoothed = smooth::applies(self);
        for component in self.components.iter_mut().filter(|component| !component.coefficients.is_empty()) {
            // Where no scan brings anything, samples are in the middle.
            component.samples = memory::filled(128, component.coefficients.len() * 64)?;
            let Some(quantization) = component.quantization else { continue };
            for row in 0..component.height.div_ceil(8) {
                context.go_on()?;
                for column in 0..component.width.div_ceil(8) {
                    let block = match smoothed {
                        true => smooth::block(component, row, column, state),
                        false => component.coefficients[row * component.block_columns + column],
                    };
                    component.place(row, column, &block, &quantization);
                }
            }
            component.coefficients = Vec::new();
        }
        Ok(())
    }
}

/// The EXIF data of the file.
pub(super) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    Header::exif(bytes)
}

pub(super) fn decode(bytes: &[u8], context: &Context<'_>) -> Result<RgbImage, Failure> {
    let mut header = Header::new(bytes);
    let mut started: Option<Frame> = None;
    let (mut scans, mut blocks) = (0, 0);
    let mut colours = Colours::Grey;
    loop {
        match header.next()? {
            Marker::Frame { progressive, arithmetic, segment } => {
                if started.is_some() {
                    return Err(Failure::unreadable("it has two frames"));
                }
                started = Some(start(segment, progressive, arithmetic, context)?);
            }
            Marker::Scan(segment) => {
                let frame = started.as_mut().ok_or_else(|| Failure::unreadable("a scan precedes its frame"))?;
                let scan = Scan::read(frame, &header, segment)?;
                scans += 1;
                blocks += scan.blocks(frame);
                if scans > MOST_SCANS {
                    return Err(Failure::unreadable(format!("it has more than {MOST_SCANS} scans")));
                }
                if blocks > MOST_BLOCKS + BLOCKS_A_BYTE * bytes.len() {
                    return Err(Failure::unreadable("its scans ask for more work than a file of its size is worth"));
                }
                // Everything is there after one scan of all components; libjpeg does not look for the end either.
                let only = scan.parts.len() == frame.components.len() && !frame.progressive;
                if scans == 1 {
                    colours = Colours::of(frame, header.jfif, header.adobe);
                    frame.allocate(!only)?;
                }
                frame.note(&scan, scans);
                scan::decode(frame, &mut header, &scan, context)?;
                if scans == 1 && only {
                    break;
                }
            }
            Marker::End => break,
            // A file that has sent everything lacks its end only.
            Marker::Missing if started.as_ref().is_some_and(Frame::is_complete) => break,
            Marker::Missing => return Err(Failure::truncated()),
        }
    }
    let mut frame = started.filter(|_| scans > 0).ok_or_else(|| Failure::unreadable("it holds no picture"))?;
    frame.transform(scans, context)?;
    let data = output::rgb(&frame, colours, context)?;
    Ok(RgbImage { width: frame.width as u32, height: frame.height as u32, data })
}

/// Reads the frame header. Nothing is allocated for it yet.
fn start(segment: &[u8], progressive: bool, arithmetic: bool, context: &Context<'_>) -> Result<Frame, Failure> {
    let [precision, h1, h0, w1, w0, count, rest @ ..] = segment else {
        return Err(Failure::unreadable("its frame header is too short"));
    };
    let (height, width) = (usize::from(*h1) << 8 | usize::from(*h0), usize::from(*w1) << 8 | usize::from(*w0));
    context.check(width as u64, height as u64)?;
    if *precision != 8 {
        return Err(Failure::unreadable(format!("{precision} bits a sample are not supported")));
    }
    if ![1, 3, 4].contains(count) {
        return Err(Failure::unreadable(format!("{count} components are not supported")));
    }
    if rest.len() < usize::from(*count) * 3 {
        return Err(Failure::unreadable("its frame header is too short"));
    }
    let mut components = Vec::new();
    for entry in rest.chunks_exact(3).take(usize::from(*count)) {
        let (h, v) = (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
        if !(1..=4).contains(&h) || !(1..=4).contains(&v) || entry[2] > 3 {
            return Err(Failure::unreadable("its sampling factors or tables are out of range"));
        }
        components.push(Component {
            id: entry[0],
            h,
            v,
            table: usize::from(entry[2]),
            quantization: None,
            width: 0,
            height: 0,
            block_columns: 0,
            block_rows: 0,
            coefficients: Vec::new(),
            known: [-1; 64],
            known_before: [-1; 64],
            samples: Vec::new(),
        });
    }
    let h_max = components.iter().map(|c| c.h).max().unwrap_or(1);
    let v_max = components.iter().map(|c| c.v).max().unwrap_or(1);
    if components.iter().any(|c| h_max % c.h != 0 || v_max % c.v != 0) {
        return Err(Failure::unreadable("fractional sampling is not supported"));
    }
    let mut frame = Frame { width, height, progressive, arithmetic, h_max, v_max, components, last_good_row: 0 };
    let (columns, rows) = frame.units();
    for component in &mut frame.components {
        component.width = (width * component.h).div_ceil(h_max);
        component.height = (height * component.v).div_ceil(v_max);
        component.block_columns = columns * component.h;
        component.block_rows = rows * component.v;
    }
    Ok(frame)
}

impl Component {
    /// Transforms one block into its place among the samples.
    fn place(&mut self, row: usize, column: usize, block: &[i16; 64], quantization: &[u16; 64]) {
        let stride = self.block_columns * 8;
        idct::transform(block, quantization, &mut self.samples[row * 8 * stride + column * 8..], stride);
    }
}

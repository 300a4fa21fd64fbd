//! JPEG: baseline, extended and progressive with Huffman coding, 8 bits, one, three or four components.
//!
//! Written here rather than taken from a crate because of the last bits: inverse transform, upsampling and colours are
//! those of libjpeg-turbo, through which Pillow reads, so the pixels are equal and not only close. Damage is treated as
//! Pillow treats it: data that ends with the file is an error, damage inside of it is decoded for what it is worth.

use super::limits::Failure;
use super::{Limits, RgbImage};

mod bits;
mod header;
mod idct;
mod output;
mod scan;

use header::{Header, Marker};

/// More scans than any encoder writes. A crafted file could otherwise ask for endless work with few bytes.
const MOST_SCANS: usize = 256;

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
    /// Progressive only: the coefficients of every block, in natural order.
    coefficients: Vec<[i16; 64]>,
    /// Samples, `block_columns * 8` in a row.
    samples: Vec<u8>,
}

/// What the frame header says.
struct Frame {
    width: usize,
    height: usize,
    progressive: bool,
    h_max: usize,
    v_max: usize,
    components: Vec<Component>,
}

impl Frame {
    /// Units of all components in a row and in a column.
    fn units(&self) -> (usize, usize) {
        (self.width.div_ceil(8 * self.h_max), self.height.div_ceil(8 * self.v_max))
    }
}

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, Failure> {
    let mut header = Header::new(bytes);
    let mut frame: Option<Frame> = None;
    let mut scans = 0;
    loop {
        match header.next()? {
            Marker::Frame { progressive, segment } => {
                if frame.is_some() {
                    return Err(Failure::unreadable("it has two frames"));
                }
                frame = Some(start(segment, progressive, limits)?);
            }
            Marker::Scan(segment) => {
                let frame = frame.as_mut().ok_or_else(|| Failure::unreadable("a scan precedes its frame"))?;
                scans += 1;
                if scans > MOST_SCANS {
                    return Err(Failure::unreadable(format!("it has more than {MOST_SCANS} scans")));
                }
                let whole = scan::decode(frame, &mut header, segment)?;
                // Everything is there after one scan of all components; libjpeg does not look for the end either.
                if whole {
                    break;
                }
            }
            Marker::End => break,
        }
    }
    let mut frame = frame.filter(|_| scans > 0).ok_or_else(|| Failure::unreadable("it holds no picture"))?;
    for component in &mut frame.components {
        component.finish();
    }
    let data = output::rgb(&frame, header.jfif, header.adobe);
    Ok(RgbImage { width: frame.width as u32, height: frame.height as u32, data })
}

/// Reads the frame header and, once the size is known to be within the limit, allocates the planes.
fn start(segment: &[u8], progressive: bool, limits: &Limits) -> Result<Frame, Failure> {
    let [precision, h1, h0, w1, w0, count, rest @ ..] = segment else {
        return Err(Failure::unreadable("its frame header is too short"));
    };
    let (height, width) = (usize::from(*h1) << 8 | usize::from(*h0), usize::from(*w1) << 8 | usize::from(*w0));
    limits.check(width as u64, height as u64)?;
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
            samples: Vec::new(),
        });
    }
    let h_max = components.iter().map(|c| c.h).max().unwrap_or(1);
    let v_max = components.iter().map(|c| c.v).max().unwrap_or(1);
    if components.iter().any(|c| h_max % c.h != 0 || v_max % c.v != 0) {
        return Err(Failure::unreadable("fractional sampling is not supported"));
    }
    let mut frame = Frame { width, height, progressive, h_max, v_max, components };
    let (columns, rows) = frame.units();
    for component in &mut frame.components {
        component.width = (width * component.h).div_ceil(h_max);
        component.height = (height * component.v).div_ceil(v_max);
        component.block_columns = columns * component.h;
        component.block_rows = rows * component.v;
        let blocks = component.block_columns * component.block_rows;
        if progressive {
            component.coefficients = vec![[0; 64]; blocks];
        } else {
            // Where no scan brings anything, coefficients are zero and samples in the middle.
            component.samples = vec![128; blocks * 64];
        }
    }
    Ok(frame)
}

impl Component {
    /// Transforms one block into its place among the samples.
    fn place(&mut self, row: usize, column: usize, block: &[i16; 64], quantization: &[u16; 64]) {
        let stride = self.block_columns * 8;
        idct::transform(block, quantization, &mut self.samples[row * 8 * stride + column * 8..], stride);
    }

    /// Progressive: transforms all blocks, now that every scan has been read, and frees the coefficients.
    fn finish(&mut self) {
        let blocks = std::mem::take(&mut self.coefficients);
        if blocks.is_empty() {
            return;
        }
        self.samples = vec![128; blocks.len() * 64];
        if let Some(quantization) = self.quantization {
            for (i, block) in blocks.iter().enumerate() {
                self.place(i / self.block_columns, i % self.block_columns, block, &quantization);
            }
        }
    }
}

//! Markers and the tables they bring (libjpeg's jdmarker.c).

use super::super::limits::Failure;
use super::bits::Table;

/// Position of the i-th coefficient of the file within its block.
pub(super) const NATURAL_ORDER: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// What the caller has to act on.
pub(super) enum Marker<'a> {
    Frame {
        progressive: bool,
        arithmetic: bool,
        segment: &'a [u8],
    },
    Scan(&'a [u8]),
    End,
    /// The file ends where a marker should be.
    Missing,
}

/// The file, a position in it, and the tables as they are at this position.
pub(super) struct Header<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) quantization: [Option<[u16; 64]>; 4],
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
    /// Conditioning of arithmetic coding, by table: bounds of small DC differences, and up to where AC counts as low.
    pub(super) small: [(u8, u8); 16],
    pub(super) low: [u8; 16],
    pub(super) restart_interval: usize,
    /// There is a JFIF segment, so three components are luma and chroma.
    pub(super) jfif: bool,
    /// The colour transform of an Adobe segment.
    pub(super) adobe: Option<u8>,
}

impl<'a> Header<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Header {
            bytes,
            at: 2,
            quantization: [None; 4],
            dc: standard_tables(0),
            ac: standard_tables(1),
            small: [(0, 1); 16],
            low: [5; 16],
            restart_interval: 0,
            jfif: false,
            adobe: None,
        }
    }

    /// The DC table of a number that a scan names.
    pub(super) fn dc(&self, index: usize) -> Option<&Table> {
        self.dc.get(index)?.as_ref()
    }

    /// The AC table of a number that a scan names.
    pub(super) fn ac(&self, index: usize) -> Option<&Table> {
        self.ac.get(index)?.as_ref()
    }

    /// Reads on to the next frame, scan or end.
    pub(super) fn next(&mut self) -> Result<Marker<'a>, Failure> {
        loop {
            let Some(marker) = self.marker() else { return Ok(Marker::Missing) };
            match marker {
                0xd9 => return Ok(Marker::End),
                kind @ (0xc0..=0xc2 | 0xc9 | 0xca) => {
                    let (progressive, arithmetic) = (kind & 3 == 2, kind & 8 != 0);
                    return Ok(Marker::Frame { progressive, arithmetic, segment: self.segment()? });
                }
                0xda => return Ok(Marker::Scan(self.segment()?)),
                0xc4 => self.huffman()?,
                0xcc => self.conditioning()?,
                0xdb => self.quantization()?,
                0xdd => {
                    let &[high, low] = self.segment()? else { return Err(bad("restart interval")) };
                    self.restart_interval = usize::from(high) << 8 | usize::from(low);
                }
                0xe0 => {
                    let segment = self.skipped()?;
                    self.jfif |= segment.len() >= 14 && segment.starts_with(b"JFIF\0");
                }
                0xee => {
                    let segment = self.skipped()?;
                    if segment.len() >= 12 && segment.starts_with(b"Adobe") {
                        self.adobe = Some(segment[11]);
                    }
                }
                0xc3 | 0xcb => return Err(Failure::unreadable("it is a lossless JPEG, a kind that is not supported")),
                0xc5..=0xc7 | 0xcd..=0xcf => {
                    return Err(Failure::unreadable("it is a hierarchical JPEG, a kind that is not supported"));
                }
                // Without parameters: restarts and beginnings out of place, and the temporary marker.
                0x01 | 0xd0..=0xd8 => {}
                _ => {
                    self.skipped()?;
                }
            }
        }
    }

    /// The EXIF data in front of the first scan. Where it is split, all but the first of its parts is given up: an
    /// orientation stands at its beginning.
    pub(super) fn exif(bytes: &'a [u8]) -> Option<&'a [u8]> {
        let mut header = Header::new(bytes);
        loop {
            match header.marker()? {
                0xe1 => {
                    let segment = header.skipped().ok()?;
                    if segment.starts_with(b"Exif\0\0") {
                        return Some(segment);
                    }
                }
                0x01 | 0xd0..=0xd8 => {}
                0xd9 | 0xda => return None,
                _ => {
                    header.skipped().ok()?;
                }
            }
        }
    }

    /// The next marker, past anything that is none.
    pub(super) fn marker(&mut self) -> Option<u8> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            self.at += rest.iter().position(|&byte| byte == 0xff)?;
            while self.bytes.get(self.at) == Some(&0xff) {
                self.at += 1;
            }
            let &kind = self.bytes.get(self.at)?;
            self.at += 1;
            if kind != 0 {
                return Some(kind);
            }
        }
    }

    /// A segment of which nothing but its end matters: a length that does not even count itself is one of nothing.
    fn skipped(&mut self) -> Result<&'a [u8], Failure> {
        if let Some(&[0, 0 | 1]) = self.bytes.get(self.at..self.at + 2) {
            self.at += 2;
            return Ok(&[]);
        }
        self.segment()
    }

    fn segment(&mut self) -> Result<&'a [u8], Failure> {
        let length = self.bytes.get(self.at..self.at + 2).ok_or_else(Failure::truncated)?;
        let length = usize::from(length[0]) << 8 | usize::from(length[1]);
        if length < 2 {
            return Err(bad("segment length"));
        }
        let segment = self.bytes.get(self.at + 2..self.at + length).ok_or_else(Failure::truncated)?;
        self.at += length;
        Ok(segment)
    }

    fn quantization(&mut self) -> Result<(), Failure> {
        let mut rest = self.segment()?;
        while let [kind, values @ ..] = rest {
            let (wide, index) = (kind >> 4 != 0, usize::from(kind & 15));
            let size = if wide { 128 } else { 64 };
            if index > 3 || values.len() < size {
                return Err(bad("quantization table"));
            }
            let mut table = [0; 64];
            for (i, &position) in NATURAL_ORDER.iter().enumerate() {
                table[usize::from(position)] =
                    if wide { u16::from_be_bytes([values[i * 2], values[i * 2 + 1]]) } else { u16::from(values[i]) };
            }
            self.quantization[index] = Some(table);
            rest = &values[size..];
        }
        Ok(())
    }

    fn conditioning(&mut self) -> Result<(), Failure> {
        for entry in self.segment()?.chunks(2) {
            match *entry {
                [index @ 0..=15, value] if value & 15 <= value >> 4 => {
                    self.small[usize::from(index)] = (value & 15, value >> 4);
                }
                [index @ 16..=31, value] => self.low[usize::from(index - 16)] = value,
                _ => return Err(bad("conditioning table")),
            }
        }
        Ok(())
    }

    fn huffman(&mut self) -> Result<(), Failure> {
        let mut rest = self.segment()?;
        while let [kind, values @ ..] = rest {
            let index = usize::from(kind & 15);
            let counts = values.get(..16).ok_or_else(|| bad("Huffman table"))?;
            let count: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = values.get(16..16 + count).ok_or_else(|| bad("Huffman table"))?;
            if index > 3 || kind >> 4 > 1 {
                return Err(bad("Huffman table"));
            }
            // A table that cannot be is missed only by a scan that uses it.
            let table = Table::new(counts, symbols);
            if kind >> 4 == 0 {
                // A DC symbol is a number of bits.
                self.dc[index] = table.filter(|_| symbols.iter().all(|&symbol| symbol <= 15));
            } else {
                self.ac[index] = table;
            }
            rest = &values[16 + count..];
        }
        Ok(())
    }
}

/// The tables of the standard's annex K for luma and chroma, which frames of Motion JPEG leave out.
fn standard_tables(class: usize) -> [Option<Table>; 4] {
    let table = |index: usize| Table::new(STANDARD_COUNTS[class * 2 + index], STANDARD_SYMBOLS[class * 2 + index]);
    [table(0), table(1), None, None]
}

const STANDARD_COUNTS: [&[u8; 16]; 4] = [
    &[0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    &[0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
    &[0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125],
    &[0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119],
];

const STANDARD_SYMBOLS: [&[u8]; 4] = [
    &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    &[
        1, 2, 3, 0, 4, 17, 5, 18, 33, 49, 65, 6, 19, 81, 97, 7, 34, 113, 20, 50, 129, 145, 161, 8, 35, 66, 177, 193,
        21, 82, 209, 240, 36, 51, 98, 114, 130, 9, 10, 22, 23, 24, 25, 26, 37, 38, 39, 40, 41, 42, 52, 53, 54, 55, 56,
        57, 58, 67, 68, 69, 70, 71, 72, 73, 74, 83, 84, 85, 86, 87, 88, 89, 90, 99, 100, 101, 102, 103, 104, 105, 106,
        115, 116, 117, 118, 119, 120, 121, 122, 131, 132, 133, 134, 135, 136, 137, 138, 146, 147, 148, 149, 150, 151,
        152, 153, 154, 162, 163, 164, 165, 166, 167, 168, 169, 170, 178, 179, 180, 181, 182, 183, 184, 185, 186, 194,
        195, 196, 197, 198, 199, 200, 201, 202, 210, 211, 212, 213, 214, 215, 216, 217, 218, 225, 226, 227, 228, 229,
        230, 231, 232, 233, 234, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250,
    ],
    &[
        0, 1, 2, 3, 17, 4, 5, 33, 49, 6, 18, 65, 81, 7, 97, 113, 19, 34, 50, 129, 8, 20, 66, 145, 161, 177, 193, 9, 35,
        51, 82, 240, 21, 98, 114, 209, 10, 22, 36, 52, 225, 37, 241, 23, 24, 25, 26, 38, 39, 40, 41, 42, 53, 54, 55,
        56, 57, 58, 67, 68, 69, 70, 71, 72, 73, 74, 83, 84, 85, 86, 87, 88, 89, 90, 99, 100, 101, 102, 103, 104, 105,
        106, 115, 116, 117, 118, 119, 120, 121, 122, 130, 131, 132, 133, 134, 135, 136, 137, 138, 146, 147, 148, 149,
        150, 151, 152, 153, 154, 162, 163, 164, 165, 166, 167, 168, 169, 170, 178, 179, 180, 181, 182, 183, 184, 185,
        186, 194, 195, 196, 197, 198, 199, 200, 201, 202, 210, 211, 212, 213, 214, 215, 216, 217, 218, 226, 227, 228,
        229, 230, 231, 232, 233, 234, 242, 243, 244, 245, 246, 247, 248, 249, 250,
    ],
];

fn bad(what: &str) -> Failure {
    Failure::unreadable(format!("a {what} in it is invalid"))
}

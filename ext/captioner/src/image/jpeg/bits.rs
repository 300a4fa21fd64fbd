//! Bits and Huffman codes (libjpeg's jdhuff.c).

/// Codes up to this length are looked up at once.
const LOOKAHEAD: u32 = 9;

/// A Huffman table.
#[derive(Clone)]
pub(super) struct Table {
    /// For each `LOOKAHEAD` bits the code's length and symbol, or length zero for a longer code.
    quick: Box<[(u8, u8); 1 << LOOKAHEAD]>,
    /// For each length the largest code, or -1, and what to add to a code to index its symbol.
    largest: [i32; 17],
    shift: [i32; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// From the number of codes of each length, and the symbols. None if the codes do not fit.
    pub(super) fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
        let mut table = Table {
            quick: Box::new([(0, 0); 1 << LOOKAHEAD]),
            largest: [-1; 17],
            shift: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut next) = (0i32, 0i32);
        for (length, &count) in (1u32..).zip(counts) {
            let count = i32::from(count);
            if code + count > 1 << length {
                return None;
            }
            table.shift[length as usize] = next - code;
            for i in 0..count {
                if length <= LOOKAHEAD {
                    let first = ((code + i) << (LOOKAHEAD - length)) as usize;
                    let entry = (length as u8, symbols[(next + i) as usize]);
                    table.quick[first..first + (1 << (LOOKAHEAD - length))].fill(entry);
                }
            }
            if count > 0 {
                table.largest[length as usize] = code + count - 1;
            }
            (code, next) = ((code + count) << 1, next + count);
        }
        Some(table)
    }
}

/// Reads the bits of one scan. Where a marker ends the data, zeros follow.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte to load; at a marker, its first byte.
    pub(super) at: usize,
    buffer: u64,
    /// Bits in the buffer that have not been read, the made-up ones at its end included.
    left: u32,
    made_up: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Bits { bytes, at, buffer: 0, left: 0, made_up: 0 }
    }

    /// Forgets what was loaded, for a restart at another place.
    pub(super) fn restart(&mut self, at: usize) {
        *self = Bits::new(self.bytes, at);
    }

    /// Bits have been read beyond the data.
    pub(super) fn exhausted(&self) -> bool {
        self.made_up > self.left
    }

    /// The data has ended with the file and not at a marker.
    pub(super) fn at_end_of_file(&self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        rest.iter().all(|&byte| byte == 0xff)
    }

    fn fill(&mut self) {
        while self.left <= 56 {
            let byte = match self.bytes.get(self.at) {
                Some(0xff) => {
                    // Any number of fill bytes may precede the zero that marks a byte of data.
                    let rest = &self.bytes[self.at..];
                    let run = rest.iter().take_while(|&&byte| byte == 0xff).count();
                    // Past the fill bytes, so that no later look counts them again.
                    self.at += run - 1;
                    if rest.get(run) == Some(&0) {
                        self.at += 2;
                        Some(0xff)
                    } else {
                        None
                    }
                }
                Some(&byte) => {
                    self.at += 1;
                    Some(byte)
                }
                None => None,
            };
            if byte.is_none() {
                self.made_up += 8;
            }
            self.buffer = self.buffer << 8 | u64::from(byte.unwrap_or(0));
            self.left += 8;
        }
    }

    fn peek(&self, count: u32) -> u32 {
        (self.buffer >> (self.left - count)) as u32 & ((1 << count) - 1)
    }

    fn skip(&mut self, count: u32) {
        self.left -= count;
        if self.exhausted() {
            // Keeps the count of made-up bits from growing without end.
            self.made_up = self.left + 1;
        }
    }

    /// Up to 16 bits as a number.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> i32 {
        if self.left < count {
            self.fill();
        }
        let value = self.peek(count) as i32;
        self.skip(count);
        value
    }

    /// A number of `count` bits with its sign, as JPEG codes differences and coefficients.
    #[inline]
    pub(super) fn signed(&mut self, count: u32) -> i32 {
        if count == 0 {
            return 0;
        }
        let value = self.take(count);
        if value < 1 << (count - 1) {
            value - (1 << count) + 1
        } else {
            value
        }
    }

    /// One symbol. An impossible code reads as zero.
    #[inline]
    pub(super) fn symbol(&mut self, table: &Table) -> u8 {
        if self.left < 17 {
            self.fill();
        }
        let (length, symbol) = table.quick[self.peek(LOOKAHEAD) as usize];
        if length != 0 {
            self.skip(u32::from(length));
            return symbol;
        }
        for length in LOOKAHEAD + 1..=16 {
            let code = self.peek(length) as i32;
            if code <= table.largest[length as usize] {
                self.skip(length);
                let index = code + table.shift[length as usize];
                return table.symbols.get(index as usize).copied().unwrap_or(0);
            }
        }
        self.skip(17);
        0
    }
}

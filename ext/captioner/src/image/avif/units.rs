//! The units (OBUs) of AV1 data, as far as is needed to say how many frames a decoder would have to decode.

/// Frames that are decoded, shown or not. Data that is damaged counts as far as it goes.
pub(super) fn frames(mut data: &[u8]) -> usize {
    let mut count = 0;
    while let Some((&header, rest)) = data.split_first() {
        let kind = header >> 3 & 15;
        let rest = if header & 4 != 0 { rest.get(1..).unwrap_or_default() } else { rest };
        let (size, rest) = if header & 2 != 0 {
            let Some((size, length)) = leb128(rest) else { break };
            (size, &rest[length..])
        } else {
            (usize::MAX, rest)
        };
        // A header of a frame alone, or with its tiles.
        count += usize::from(kind == 3 || kind == 6);
        data = rest.get(size..).unwrap_or_default();
    }
    count
}

/// A number in groups of seven bits, the lowest first, and its bytes.
fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7f) << (i * 7);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).unwrap_or(usize::MAX), i + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted() {
        assert_eq!(frames(b""), 0);
        // A delimiter, a sequence header, a frame, a frame's header with an extension, a tile group without size.
        let data = b"\x12\x00\x0a\x02xx\x32\x03abc\x1e\x00\x01h\x20whatever\x32\x00";
        assert_eq!(frames(data), 2);
        assert_eq!(frames(b"\x32\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 0);
        assert_eq!(frames(b"\x32\xff\xff\xff\xff\xff\xff\xff\x7f"), 1);
    }
}

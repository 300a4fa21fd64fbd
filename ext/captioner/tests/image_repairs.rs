//! Files that are damaged where it does not matter give the picture of the whole file; where it does matter, an error.

use captioner::error::Error;
use captioner::image::{load_bytes, Limits, RgbImage};
use std::path::Path;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images").join(name)).expect(name)
}

fn decoded(bytes: &[u8], what: &str) -> RgbImage {
    load_bytes(bytes, &Limits::default()).unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn refused(bytes: &[u8], word: &str) {
    match load_bytes(bytes, &Limits::default()) {
        Err(Error::UnreadableImage(message)) => assert!(message.contains(word), "{message}"),
        other => panic!("{word}: {other:?}"),
    }
}

/// The same bytes with others at a place.
fn with(bytes: &[u8], at: usize, inserted: &[u8]) -> Vec<u8> {
    [&bytes[..at], inserted, &bytes[at..]].concat()
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).expect("the bytes looked for")
}

#[test]
fn jpeg_segments_that_say_nothing() {
    let whole = fixture("420.jpg");
    let picture = decoded(&whole, "whole");
    let scan = find(&whole, b"\xff\xda");
    // Sixteen codes of one bit: no such table can be, but no scan uses it.
    let impossible = [b"\xff\xc4\x00\x23\x12\x10".as_slice(), &[0; 15], &[7; 16]].concat();
    for (inserted, what) in [
        (&b"\xff\xfe\x00\x00"[..], "a comment that does not even count its length"),
        (b"\xff\xe5\x00\x01", "an application segment of that kind"),
        (b"\xff\xd8", "a second beginning"),
        (b"\xff\xff\xff\xff\xff\xfe\x00\x02", "fill bytes"),
        (&impossible, "an impossible Huffman table"),
    ] {
        assert_eq!(decoded(&with(&whole, scan, inserted), what), picture, "{what}");
    }
    assert_eq!(decoded(&[b"\r\n", whole.as_slice()].concat(), "a blank line in front"), picture);
    let used = [b"\xff\xc4\x00\x23\x00\x10".as_slice(), &[0; 15], &[7; 16]].concat();
    refused(&with(&whole, scan, &used), "Huffman table");
}

/// A progressive file lacks its end, or more than that.
#[test]
fn jpeg_without_its_end() {
    for name in ["progressive.jpg", "arithmetic_progressive.jpg", "scans.jpg", "420.jpg"] {
        let whole = fixture(name);
        let short = &whole[..whole.len() - 2];
        if name == "arithmetic_progressive.jpg" {
            // Its data goes on behind its last byte, so the end is needed.
            refused(short, "truncated");
            continue;
        }
        assert_eq!(decoded(short, name), decoded(&whole, name), "{name}");
    }
    let unfinished = fixture("unfinished_3.jpg");
    refused(&unfinished[..unfinished.len() - 2], "truncated");
    let progressive = fixture("progressive.jpg");
    refused(&progressive[..progressive.len() - 40], "truncated");
}

#[test]
fn jpeg_kinds_that_are_named() {
    let mut whole = fixture("420.jpg");
    let at = find(&whole, b"\xff\xc0") + 1;
    for (kind, name) in [(0xc3, "lossless"), (0xcb, "lossless"), (0xc5, "hierarchical")] {
        whole[at] = kind;
        refused(&whole, name);
    }
}

/// The frame of a large grey picture, and what a scan of it needs.
fn large_frame(kind: u8, side: u16) -> Vec<u8> {
    let [high, low] = side.to_be_bytes();
    let quantization = [b"\xff\xdb\x00\x43\x00".as_slice(), &[1; 64]].concat();
    let frame = [0xff, kind, 0, 11, 8, high, low, high, low, 1, 1, 0x11, 0];
    [b"\xff\xd8".as_slice(), &quantization, &frame].concat()
}

/// Scans that cost a few bytes each and visit every block.
#[test]
fn jpeg_scans_beyond_reason() {
    let mut file = large_frame(0xc2, 9400);
    for _ in 0..250 {
        file.extend(b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00");
    }
    file.extend(b"\xff\xd9");
    refused(&file, "work");
}

/// A restart at every block, each of which would walk over the same fill bytes; the picture is grey. That it ends is what
/// is tested: walking took minutes.
#[test]
fn jpeg_fill_bytes_at_restarts() {
    let mut file = large_frame(0xc0, 8000);
    file.extend(b"\xff\xdd\x00\x04\x00\x01\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00");
    file.extend([0xff; 40_000]);
    file.push(0xd9);
    let picture = decoded(&file, "fill bytes");
    assert_eq!((picture.width, picture.height), (8000, 8000));
    assert!(picture.data[8 * 8000 * 3..].iter().all(|&value| value == 128));
    // The same with bytes that belong nowhere.
    let mut file = large_frame(0xc0, 2000);
    file.extend(b"\xff\xdd\x00\x04\x00\x01\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\xff\xd5");
    file.extend([0x11; 40_000]);
    file.extend(b"\xff\xd9");
    assert_eq!(decoded(&file, "bytes that belong nowhere").width, 2000);
}

/// Position and length of the first chunk of a kind, all of it.
fn chunk(png: &[u8], kind: &[u8; 4]) -> (usize, usize) {
    let at = find(png, kind) - 4;
    (at, 12 + u32::from_be_bytes(*png[at..].first_chunk().expect("a length")) as usize)
}

#[test]
fn png_damage_that_does_not_matter() {
    for name in ["rgba.png", "interlaced_rgb.png", "palette.png", "grey4.png", "animated.png"] {
        let whole = fixture(name);
        let picture = decoded(&whole, name);
        let (data, size) = chunk(&whole, b"IDAT");
        let (end, _) = chunk(&whole, b"IEND");
        let mut damaged = whole.clone();
        damaged[data + size - 1] ^= 1;
        assert_eq!(decoded(&damaged, "checksum of the pixels"), picture, "{name}: checksum of the pixels");
        assert_eq!(decoded(&whole[..end], "no end"), picture, "{name}: no end");
        assert_eq!(decoded(&whole[..end - 4], "no last checksum"), picture, "{name}: no last checksum");
        let text = b"\x00\x00\x00\x04tEXtab\x00c\x00\x00\x00\x00";
        assert_eq!(decoded(&with(&whole, data, text), "text"), picture, "{name}: text with a wrong checksum");
        if name != "palette.png" {
            let needless = b"\x00\x00\x00\x05PLTE\x01\x02\x03\x04\x05\x00\x00\x00\x00";
            assert_eq!(decoded(&with(&whole, data, needless), "needless palette"), picture, "{name}: needless palette");
        }
        refused(&whole[..data + size / 2], "truncated");
        let mut damaged = whole.clone();
        damaged[20] ^= 1;
        refused(&damaged, "checksum of its header");
    }
    let whole = fixture("palette.png");
    let (palette, size) = chunk(&whole, b"PLTE");
    let second = whole[palette..palette + size].to_vec();
    assert_eq!(decoded(&with(&whole, palette, &second), "two palettes"), decoded(&whole, "palette.png"));
}

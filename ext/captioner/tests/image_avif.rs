//! AVIF whose boxes are not as they should be: the data of fixtures in boxes that are made here.

use captioner::error::Error;
use captioner::image::{load_bytes, Limits, RgbImage};
use std::path::Path;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images").join(name)).expect(name)
}

/// The AV1 data of a fixture without alpha: all there is behind its boxes.
fn payload(name: &str) -> Vec<u8> {
    let file = fixture(name);
    let at = file.windows(4).position(|letters| letters == b"mdat").expect("data");
    file[at + 4..].to_vec()
}

fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&(body.len() as u32 + 8).to_be_bytes()[..], kind, &body].concat()
}

/// An item: its kind, the numbers of its properties, and its data.
type Item<'a> = (&'a [u8; 4], &'a [u8], &'a [u8]);

/// A file of items with the ids 1, 2 and so on. References are kind, from and to.
fn file(items: &[Item<'_>], properties: &[Vec<u8>], references: &[(&[u8; 4], u8, &[u8])]) -> Vec<u8> {
    let (mut kinds, mut places, mut links) = (vec![0; 4], vec![1, 0, 0, 0, 0x44, 0x00], vec![0; 4]);
    let (mut data, mut uses) = (Vec::new(), vec![0; 4]);
    kinds.extend((items.len() as u16).to_be_bytes());
    places.extend((items.len() as u16).to_be_bytes());
    uses.extend((items.len() as u32).to_be_bytes());
    for (i, (kind, numbers, bytes)) in items.iter().enumerate() {
        let id = [0, i as u8 + 1];
        kinds.extend(boxed(b"infe", &[&[2, 0, 0, 0], &id, &[0, 0], *kind, &[0]]));
        // In the item data box, one extent.
        places.extend([&id[..], &[0, 1, 0, 0, 0, 1]].concat());
        places.extend((data.len() as u32).to_be_bytes());
        places.extend((bytes.len() as u32).to_be_bytes());
        data.extend_from_slice(bytes);
        uses.extend([&id[..], &[numbers.len() as u8], *numbers].concat());
    }
    for (kind, from, to) in references {
        let to: Vec<u8> = to.iter().flat_map(|&id| [0, id]).collect();
        links.extend(boxed(kind, &[&[0, *from], &[0, to.len() as u8 / 2], &to]));
    }
    let properties = boxed(b"ipco", &[&properties.concat()]);
    let meta = boxed(
        b"meta",
        &[
            &[0; 4],
            &boxed(b"pitm", &[&[0, 0, 0, 0, 0, 1]]),
            &boxed(b"iinf", &[&kinds]),
            &boxed(b"iloc", &[&places]),
            &boxed(b"iref", &[&links]),
            &boxed(b"iprp", &[&properties, &boxed(b"ipma", &[&uses])]),
            &boxed(b"idat", &[&data]),
        ],
    );
    [boxed(b"ftyp", &[b"mif1\0\0\0\0mif1avif"]), meta].concat()
}

fn size(width: u32, height: u32) -> Vec<u8> {
    boxed(b"ispe", &[&[0; 4], &width.to_be_bytes(), &height.to_be_bytes()])
}

fn alpha() -> Vec<u8> {
    boxed(b"auxC", &[&[0; 4], b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"])
}

fn loaded(bytes: &[u8]) -> RgbImage {
    load_bytes(bytes, &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(bytes: &[u8], word: &str) {
    match load_bytes(bytes, &Limits::default()) {
        Err(Error::UnreadableImage(message)) => assert!(message.contains(word), "{message} instead of {word}"),
        other => panic!("{word}: {other:?}"),
    }
}

#[test]
fn other_boxes_around_the_same_data() {
    let data = payload("420.avif");
    assert_eq!(loaded(&file(&[(b"av01", &[1], &data)], &[size(83, 61)], &[])), loaded(&fixture("420.avif")));
    // A property that says nothing of pixels may be unknown.
    let properties = [size(83, 61), boxed(b"what", &[])];
    assert_eq!(loaded(&file(&[(b"av01", &[1, 2], &data)], &properties, &[])), loaded(&fixture("420.avif")));
    let opaque = [(b"av01", &[1][..], &data[..]), (b"av01", &[1, 2], &payload("400.avif"))];
    let both = loaded(&file(&opaque, &[size(83, 61), alpha()], &[(b"auxl", 2, &[1])]));
    assert_ne!(both, loaded(&fixture("420.avif")), "with an alpha plane");
}

#[test]
fn what_follows_does_not_matter() {
    for more in [&b"\n"[..], b"\0\0\0\x02free", b"\0\0\0\x20free"] {
        assert_eq!(loaded(&[&fixture("420.avif"), more].concat()), loaded(&fixture("420.avif")), "{more:?}");
    }
    // Another frame of the same item.
    let data = payload("420.avif");
    let twice = [&data[..], &data].concat();
    assert_eq!(loaded(&file(&[(b"av01", &[1], &twice)], &[size(83, 61)], &[])), loaded(&fixture("420.avif")));
}

#[test]
fn what_is_not_read_is_named() {
    let data = payload("420.avif");
    let item = |kind: &'static [u8; 4], numbers: &'static [u8]| file(&[(kind, numbers, &data)], &[size(83, 61)], &[]);
    refused(&item(b"hvc1", &[1]), "hvc1");
    refused(&file(&[(b"grid", &[1], &[0; 8])], &[size(1, 1)], &[]), "do not fit together");
    refused(&file(&[(b"av01", &[1, 0x82], &data)], &[size(83, 61), boxed(b"what", &[])], &[]), "needs, what");
    refused(&file(&[(b"av01", &[1, 0x82], &data)], &[size(83, 61), boxed(b"lsel", &[&[0, 1]])], &[]), "layer");
    refused(&boxed(b"ftyp", &[b"avif\0\0\0\0"]), "no picture");
    refused(&[boxed(b"ftyp", &[b"avis\0\0\0\0"]), boxed(b"moov", &[])].concat(), "no picture");
    refused(&[boxed(b"ftyp", &[b"mif1\0\0\0\0heic"]), boxed(b"meta", &[])].concat(), "HEIC");
}

#[test]
fn sizes_that_cannot_be() {
    let data = payload("420.avif");
    let sized = |width, height| file(&[(b"av01", &[1], &data)], &[size(width, height)], &[]);
    refused(&sized(0, 61), "0x61");
    refused(&sized(82, 61), "larger than it says");
    refused(&sized(84, 61), "sizes of frame and picture differ");
    refused(&file(&[(b"av01", &[], &data)], &[size(83, 61)], &[]), "no size");
    match load_bytes(&sized(60_000, 60_000), &Limits::default()) {
        Err(Error::ImageTooLarge(message)) => assert!(message.contains("max_pixels"), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn data_that_is_missing_or_counted_twice() {
    let data = payload("420.avif");
    refused(&file(&[(b"av01", &[1], &data[..data.len() / 2])], &[size(83, 61)], &[]), "damaged");
    refused(&file(&[(b"av01", &[1], b"")], &[size(83, 61)], &[]), "truncated");
    let whole = file(&[(b"av01", &[1], &data)], &[size(83, 61)], &[]);
    refused(&whole[..whole.len() - 9], "truncated");

    // Two rows of one tile: the same tile twice, and the grid itself as a tile.
    let grid = [0, 0, 1, 0, 0, 83, 0, 122];
    let items: [Item<'_>; 2] = [(b"grid", &[1], &grid), (b"av01", &[2], &data)];
    let sizes = [size(83, 122), size(83, 61)];
    refused(&file(&items, &sizes, &[(b"dimg", 1, &[2, 2])]), "do not fit together");
    refused(&file(&items, &sizes, &[(b"dimg", 1, &[1, 1])]), "do not fit together");
    let grid = [0, 0, 1, 0, 0, 64, 0, 128];
    let items: [Item<'_>; 2] = [(b"grid", &[1], &grid), (b"av01", &[2], &data)];
    refused(&file(&items, &[size(64, 128), size(64, 64)], &[(b"dimg", 1, &[2, 2])]), "overlap");
    refused(&file(&items, &[size(64, 128), size(64, 64)], &[(b"dimg", 1, &[2, 1])]), "kind or size");
    refused(&file(&items, &[size(64, 128), size(64, 64)], &[(b"dimg", 1, &[2])]), "do not fit together");
}

/// A few hundred bytes that ask for seconds of work: colour and alpha of twenty million pixels each.
#[test]
fn work_out_of_proportion() {
    let data = payload("large/flat.avif");
    let items: [Item<'_>; 2] = [(b"av01", &[1], &data), (b"av01", &[1, 2], &data)];
    refused(&file(&items, &[size(4600, 4600), alpha()], &[(b"auxl", 2, &[1])]), "work");
}

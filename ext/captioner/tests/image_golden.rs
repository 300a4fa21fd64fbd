//! Decoding, resizing and normalizing give the very bytes of Pillow and transformers (`research/reference/images.py`).

use captioner::image::{load_path, pixels, resize, Filter, Limits, RgbImage};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images")
}

fn load(name: &str) -> RgbImage {
    load_path(&fixtures().join(name), &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Width, height and digest of what a line of the table asks for.
fn compute(image: &RgbImage, what: &str) -> (u32, u32, String) {
    let resized = match what {
        "rgb" => image.clone(),
        "pixels" => resize(image, 768, 768, Filter::Bicubic).expect("resized"),
        _ => {
            let (size, code) = what.split_once(':').expect("size:filter");
            let (width, height) = size.split_once('x').expect("width x height");
            let filter = Filter::from_pillow(code.parse().expect("a filter code")).expect("a known filter");
            resize(image, width.parse().expect("a width"), height.parse().expect("a height"), filter).expect("resized")
        }
    };
    let digest = if what == "pixels" {
        let values = pixels(&resized, 1.0 / 255.0, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).expect("normalized");
        // The table has transformers' planes: all of red, all of green, all of blue.
        let planes = (0..3).flat_map(|channel| values.iter().skip(channel).step_by(3));
        digest(&planes.flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    } else {
        digest(&resized.data)
    };
    (resized.width, resized.height, digest)
}

#[test]
fn every_value_is_equal() {
    let table = std::fs::read_to_string(fixtures().join("expected.tsv")).expect("the table of expected values");
    let mut current: Option<(String, RgbImage)> = None;
    let (mut files, mut wrong) = (0, Vec::new());
    for line in table.lines() {
        let [name, what, width, height, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not five columns: {line}");
        };
        if current.as_ref().is_none_or(|(file, _)| file != name) {
            current = Some((name.to_string(), load(name)));
            files += 1;
        }
        let Some((_, image)) = &current else { unreachable!() };
        let (got_width, got_height, got) = compute(image, what);
        if (got_width.to_string().as_str(), got_height.to_string().as_str(), got.as_str()) != (width, height, expected)
        {
            wrong.push(format!("{name} {what}: {got_width}x{got_height}, expected {width}x{height}"));
        }
    }
    assert!(files >= 210, "only {files} files in the table");
    assert!(wrong.is_empty(), "{} of {} values differ:\n{}", wrong.len(), table.lines().count(), wrong.join("\n"));
}

#[test]
fn whole_images_are_equal() {
    let mut seen = 0;
    for entry in std::fs::read_dir(fixtures().join("whole")).expect("whole images") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let (ours, theirs) = (load(&name), load(&format!("whole/{name}.png")));
        assert_eq!((ours.width, ours.height), (theirs.width, theirs.height), "{name}");
        let first = ours.data.iter().zip(&theirs.data).position(|(a, b)| a != b);
        if let Some(at) = first {
            let (x, y) = (at / 3 % ours.width as usize, at / 3 / ours.width as usize);
            panic!("{name} first differs at {x},{y}: {} instead of {}", ours.data[at], theirs.data[at]);
        }
        seen += 1;
    }
    assert!(seen >= 6);
}

#[test]
fn a_reduced_limit_is_kept_for_every_format() {
    for name in
        ["rgb_reduced.png", "420.jpg", "animated.gif", "lossy.webp", "small_frame.webp", "rgb24.bmp", "grid.avif"]
    {
        let limits = Limits { max_pixels: 100, ..Limits::default() };
        let error = load_path(&fixtures().join(name), &limits).expect_err(name);
        assert!(matches!(error, captioner::error::Error::ImageTooLarge(_)), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn filters_by_number() {
    assert_eq!(Filter::from_pillow(3).ok(), Some(Filter::Bicubic));
    let error = Filter::from_pillow(4).expect_err("box");
    assert!(matches!(error, captioner::error::Error::InvalidArgument(_)), "{error}");
}

/// Properties that need no reference: a flat image stays flat at any size and filter, and the same size changes nothing.
#[test]
fn flat_images_stay_flat() {
    let mut state = 7u64;
    let mut random = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    for round in 0..200 {
        let (width, height) = (1 + random(90) as u32, 1 + random(90) as u32);
        let colour = [random(256) as u8, random(256) as u8, random(256) as u8];
        let image = RgbImage { width, height, data: colour.repeat((width * height) as usize) };
        let filter = Filter::from_pillow(round % 4).expect("a known filter");
        let (to_width, to_height) = (1 + random(200) as u32, 1 + random(200) as u32);
        let resized = resize(&image, to_width, to_height, filter).expect("resized");
        assert_eq!((resized.width, resized.height), (to_width, to_height));
        assert!(resized.data.chunks_exact(3).all(|pixel| pixel == colour), "{width}x{height} {filter:?}");
        assert_eq!(resize(&image, width, height, filter).expect("resized"), image);
    }
}

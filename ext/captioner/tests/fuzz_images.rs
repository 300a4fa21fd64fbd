//! Damaged images of every format, from the fixtures: a short run of what `fuzz/` does for long.
//! `FUZZ_RUNS=1000000 cargo test --release --test fuzz_images` is a long one.

mod fuzz_support;
#[path = "fuzz_support/images.rs"]
mod target;

use fuzz_support::{damaged, run, seeds};
use std::path::Path;

fn fuzz(name: &str, ending: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
    run(name, &seeds(&folder, ending), damaged, target::image);
}

#[test]
fn jpeg() {
    fuzz("jpeg", ".jpg");
}

#[test]
fn png() {
    fuzz("png", ".png");
}

#[test]
fn gif() {
    fuzz("gif", ".gif");
}

#[test]
fn webp() {
    fuzz("webp", ".webp");
}

#[test]
fn bmp() {
    fuzz("bmp", ".bmp");
}

#[test]
fn tiff() {
    fuzz("tiff", ".tif");
}

#[test]
fn avif() {
    fuzz("avif", ".avif");
}

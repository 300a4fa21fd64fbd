//! Tilings and crops are the reference's, pixel for pixel (`research/reference/moondream/crops.py`).

use captioner::models::moondream2::Cropping;
use captioner_testing::picture;
use sha2::{Digest, Sha256};

const CROPPING: Cropping = Cropping { crop_size: 378, patch_size: 14, overlap_margin: 4, max_crops: 12 };

fn fixture(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/moondream2").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line for each height, two digits for each width: rows and columns, in hexadecimal.
#[test]
fn every_tiling_is_equal() {
    let table = fixture("tilings.txt");
    let sizes = || (1..=3000).step_by(37);
    assert_eq!(table.lines().count(), sizes().count());
    for (height, line) in sizes().zip(table.lines()) {
        let tilings = sizes().map(|width| CROPPING.tiling(width, height));
        let ours: String = tilings.map(|tiling| format!("{:x}{:x}", tiling.rows, tiling.columns)).collect();
        assert_eq!(ours, line, "height {height}");
    }
}

#[test]
fn every_crop_is_equal() {
    let table = fixture("crops.tsv");
    let mut wrong = Vec::new();
    for line in table.lines() {
        let mut columns = line.split('\t');
        let mut number = || columns.next().and_then(|text| text.parse::<u32>().ok()).expect("a number");
        let [width, height, rows, across] = [number(), number(), number(), number()];
        let crops = CROPPING.crops(&picture(width, height));
        assert_eq!((crops.tiling.rows, crops.tiling.columns), (rows as usize, across as usize), "{width} x {height}");
        let ours: Vec<String> = crops.images.iter().map(|image| digest(&image.data)).collect();
        if ours != columns.collect::<Vec<_>>() {
            wrong.push(format!("{width} x {height}"));
        }
    }
    assert!(table.lines().count() >= 40);
    assert!(wrong.is_empty(), "{} of {} sizes differ: {}", wrong.len(), table.lines().count(), wrong.join(", "));
}

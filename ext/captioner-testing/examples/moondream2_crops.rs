//! Crops of a picture by formula, for `research/reference/moondream/crops.py`: reads `WIDTH HEIGHT` lines, prints
//! `WIDTH HEIGHT ROWS COLUMNS` and the digest of every crop; `-- DIR` also writes the pixels to DIR/WIDTHxHEIGHT.rgb.

use std::io::{self, Error};

use captioner::models::moondream2::Cropping;
use captioner_testing::picture;
use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    let cropping = Cropping { crop_size: 378, patch_size: 14, overlap_margin: 4, max_crops: 12 };
    let dir = std::env::args().nth(1);
    for line in io::stdin().lines() {
        let line = line?;
        let mut sides = line.split_whitespace().map(str::parse::<u32>);
        let (Some(Ok(width)), Some(Ok(height))) = (sides.next(), sides.next()) else {
            return Err(Error::other(format!("not a size: {line:?}")));
        };
        let crops = cropping.crops(&picture(width, height));
        let digests: Vec<String> = crops.images.iter().map(|image| digest(&image.data)).collect();
        println!("{width}\t{height}\t{}\t{}\t{}", crops.tiling.rows, crops.tiling.columns, digests.join("\t"));
        if let Some(dir) = &dir {
            let pixels: Vec<u8> = crops.images.into_iter().flat_map(|image| image.data).collect();
            std::fs::write(format!("{dir}/{width}x{height}.rgb"), pixels)?;
        }
    }
    Ok(())
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

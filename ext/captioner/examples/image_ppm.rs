//! Decodes images for `reference/image_compare.py`:
//! `cargo run --release --example image_ppm -- OUT FILE...` writes OUT/0.ppm, OUT/1.ppm, ... or OUT/0.err with the message.

use captioner::image::{load_path, Limits};
use std::path::Path;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().expect("usage: image_ppm OUT FILE...");
    for (i, file) in arguments.enumerate() {
        match load_path(Path::new(&file), &Limits::default()) {
            Ok(image) => {
                let mut ppm = format!("P6\n{} {}\n255\n", image.width, image.height).into_bytes();
                ppm.extend_from_slice(&image.data);
                std::fs::write(format!("{out}/{i}.ppm"), ppm)?;
            }
            Err(error) => std::fs::write(format!("{out}/{i}.err"), error.to_string())?,
        }
    }
    Ok(())
}

//! Decodes images for `research/reference/image_compare.py`:
//! `cargo run --release --example image_ppm -- OUT FILE...` writes OUT/0.ppm, OUT/1.ppm, ... or OUT/0.err with the message;
//! `-- --time FILE...` prints the milliseconds of loading and of resizing to 768 x 768, the best of seven.

use captioner::image::{load_path, resize, Filter, Limits};
use std::path::Path;
use std::time::{Duration, Instant};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().expect("usage: image_ppm OUT|--time FILE...");
    for (i, file) in arguments.enumerate() {
        let load = || load_path(Path::new(&file), &Limits::default());
        match load() {
            Ok(image) if out == "--time" => {
                let resizing = best(|| drop(resize(&image, 768, 768, Filter::Bicubic).expect("resized")));
                println!("{:.2} {:.2}", best(|| drop(load())) * 1e3, resizing * 1e3);
            }
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

fn best(work: impl Fn()) -> f64 {
    let timed = || {
        let began = Instant::now();
        work();
        began.elapsed()
    };
    (0..7).map(|_| timed()).min().unwrap_or(Duration::ZERO).as_secs_f64()
}

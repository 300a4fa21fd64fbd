//! Where memory is limited, an image that needs too much is an error and the process lives. Each check runs in a process of
//! its own, which limits itself.
#![cfg(target_os = "linux")]

use captioner::error::Error;
use captioner::image::{load_bytes, resize, Filter, Limits, RgbImage};
use std::process::Command;

/// Tells the child which file to make and load.
const VARIABLE: &str = "CAPTIONER_TEST_LOADS";

/// Lets this process have so many bytes more than it has.
fn limit(bytes: u64) {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: u64 = pages.split(' ').next().and_then(|pages| pages.parse().ok()).expect("pages");
    // SAFETY: plain calls with values on the stack.
    unsafe {
        let most = pages * libc::sysconf(libc::_SC_PAGESIZE) as u64 + bytes;
        let limit = libc::rlimit { rlim_cur: most, rlim_max: libc::RLIM_INFINITY };
        assert_eq!(libc::setrlimit(libc::RLIMIT_AS, &limit), 0);
    }
}

/// A small file of 9000 x 9000 pixels.
fn large(kind: &str) -> Vec<u8> {
    let jpeg = |frame: u8| {
        let mut file = [b"\xff\xd8\xff\xdb\x00\x43\x00".as_slice(), &[1; 64]].concat();
        file.extend([0xff, frame, 0, 11, 8, 0x23, 0x28, 0x23, 0x28, 1, 1, 0x11, 0]);
        let last = if frame == 0xc2 { 0 } else { 63 };
        file.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, last, 0, 0xff, 0xd9]);
        file
    };
    match kind {
        "png" | "interlaced" => {
            let mut file = Vec::new();
            let mut encoder = png::Encoder::new(&mut file, 9000, 9000);
            encoder.set_depth(png::BitDepth::One);
            encoder.set_color(png::ColorType::Grayscale);
            let mut writer = encoder.write_header().expect("a header");
            writer.write_image_data(&vec![0; 1125 * 9000]).expect("pixels");
            drop(writer);
            if kind == "interlaced" {
                // Its rows are read in another order then; they run out, but not before they are allocated.
                file[28] = 1;
                let crc = file[12..29].iter().fold(!0u32, |crc, &byte| {
                    (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ (0xedb8_8320 * (crc & 1)))
                });
                file[29..33].copy_from_slice(&(!crc).to_be_bytes());
            }
            file
        }
        "jpeg" => jpeg(0xc0),
        "progressive" => jpeg(0xc2),
        "gif" => {
            b"GIF89a\x28\x23\x28\x23\x00\x00\x00,\x00\x00\x00\x00\x28\x23\x28\x23\x00\x02\x02\x4c\x01\x00;".to_vec()
        }
        "bmp" => {
            let mut file = vec![0; 54 + 1128 * 9000];
            file[..2].copy_from_slice(b"BM");
            (file[10], file[14], file[28]) = (54, 40, 1);
            file[18..22].copy_from_slice(&9000u32.to_le_bytes());
            file[22..26].copy_from_slice(&9000u32.to_le_bytes());
            file
        }
        // Lossless, of one colour: every code has one symbol.
        "webp" => {
            let size = 8999u32 | 8999 << 14;
            let data = [&[0x2f][..], &size.to_le_bytes(), &[0x88, 0x88, 8, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
            let mut file = b"RIFF\0\0\0\0WEBPVP8L".to_vec();
            file.extend((data.len() as u32).to_le_bytes());
            file.extend(&data);
            let length = file.len() as u32 - 8;
            file[4..8].copy_from_slice(&length.to_le_bytes());
            file
        }
        other => panic!("no kind {other}"),
    }
}

#[test]
fn the_child() {
    let Some(kind) = std::env::var_os(VARIABLE) else { return };
    let kind = kind.to_string_lossy();
    if kind == "resize" {
        let image = RgbImage { width: 300, height: 300, data: vec![7; 270_000] };
        limit(40 << 20);
        let error = resize(&image, 6000, 6000, Filter::Bicubic).expect_err("108 MB of 40");
        assert!(matches!(&error, Error::ImageTooLarge(message) if message.contains("MiB")), "{error}");
        return;
    }
    if let Some(mebibytes) = kind.strip_prefix("avif ") {
        return avif_in(mebibytes.parse().expect("a number"));
    }
    let file = large(&kind);
    limit(40 << 20);
    let error = load_bytes(&file, &Limits::default()).expect_err("hundreds of MB of 40");
    assert!(matches!(&error, Error::ImageTooLarge(message) if message.contains("MiB")), "{kind}: {error}");
}

/// The decoder of AVIF takes its memory in several steps, and one or the other of them is where it ends.
fn avif_in(mebibytes: u64) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
    let file = std::fs::read(folder.join("large/flat.avif")).expect("large/flat.avif");
    limit(mebibytes << 20);
    match load_bytes(&file, &Limits::default()) {
        Err(Error::ImageTooLarge(message)) => assert!(message.contains("MiB"), "{mebibytes}: {message}"),
        Err(other) => panic!("{mebibytes}: {other}"),
        // 61 MiB of pixels, 30 of planes and as many where they are put together.
        Ok(_) => assert!(mebibytes > 121, "{mebibytes}"),
    }
}

#[test]
fn avif_in_little_memory() {
    for mebibytes in [40, 70, 80, 100, 120, 140, 160, 180] {
        run_child(&format!("avif {mebibytes}"));
    }
}

#[test]
fn large_images_in_little_memory() {
    for kind in ["png", "interlaced", "jpeg", "progressive", "gif", "bmp", "webp", "resize"] {
        run_child(kind);
    }
}

fn run_child(kind: &str) {
    let child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "the_child", "--test-threads=1"])
        .env(VARIABLE, kind)
        .output()
        .expect("a child");
    let output = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{kind}: {} {output}", child.status);
    assert!(output.contains("1 passed"), "{kind}: {output}");
}

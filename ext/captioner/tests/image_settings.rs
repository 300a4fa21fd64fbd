//! What a caller can ask of a load: that pictures stay as they are stored, and that it stops.

use captioner::error::Error;
use captioner::image::{load_bytes, load_bytes_until, load_path_until, Limits};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images").join(name)
}

#[test]
fn orientation_can_be_switched_off() {
    let stored = Limits { apply_orientation: false, ..Limits::default() };
    for name in ["oriented6.jpg", "oriented6.png", "oriented5.webp", "oriented8.avif"] {
        let bytes = std::fs::read(fixture(name)).expect(name);
        let turned = load_bytes(&bytes, &Limits::default()).expect(name);
        let as_stored = load_bytes(&bytes, &stored).expect(name);
        assert_eq!((turned.width, turned.height), (as_stored.height, as_stored.width), "{name}");
    }
    let bytes = std::fs::read(fixture("oriented3.jpg")).expect("oriented3.jpg");
    let turned = load_bytes(&bytes, &Limits::default()).expect("turned");
    let as_stored = load_bytes(&bytes, &stored).expect("as stored");
    assert!(turned.data.chunks_exact(3).eq(as_stored.data.rchunks_exact(3)));
}

#[test]
fn a_load_that_is_not_wanted_does_not_begin() {
    let stop = AtomicBool::new(true);
    for name in [
        "420.jpg",
        "progressive.jpg",
        "arithmetic.jpg",
        "rgb_tall.png",
        "interlaced_rgb.png",
        "animated.gif",
        "lossy.webp",
        "lossless.webp",
        "rgb24.bmp",
        "420.avif",
    ] {
        let result = load_path_until(&fixture(name), &Limits::default(), &stop);
        assert!(matches!(result, Err(Error::Interrupted)), "{name}: {result:?}");
        let bytes = std::fs::read(fixture(name)).expect(name);
        let result = load_bytes_until(name, &bytes, &Limits::default(), &stop);
        assert!(matches!(result, Err(Error::Interrupted)), "{name}: {result:?}");
    }
}

/// Loads that would go on for long, one after another: each is stopped while it decodes.
#[test]
fn a_load_is_stopped_on_its_way() {
    let mut jpeg = [b"\xff\xd8\xff\xdb\x00\x43\x00".as_slice(), &[1; 64]].concat();
    jpeg.extend(
        b"\xff\xc0\x00\x0b\x08\x24\xb8\x24\xb8\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\xff\xd9",
    );
    let bmp = {
        let mut bytes = vec![0; 62 + 1176 * 9400];
        bytes[..2].copy_from_slice(b"BM");
        bytes[10] = 54;
        bytes[14] = 40;
        bytes[18..22].copy_from_slice(&9400u32.to_le_bytes());
        bytes[22..26].copy_from_slice(&9400u32.to_le_bytes());
        bytes[28] = 1;
        bytes
    };
    let avif = std::fs::read(fixture("large/flat.avif")).expect("large/flat.avif");
    for (name, bytes, side) in [("jpeg", jpeg, 9400), ("bmp", bmp, 9400), ("avif", avif, 4600)] {
        let whole = load_bytes(&bytes, &Limits::default()).expect("a picture nobody stops");
        assert_eq!((whole.width, whole.height), (side, side), "{name}");
        let (stop, begun) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !begun.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
                std::thread::sleep(Duration::from_millis(2));
                stop.store(true, Ordering::Relaxed);
            });
            begun.store(true, Ordering::Release);
            // On a machine that is asleep for long the load may win once; it cannot win always.
            let stopped = (0..20).any(|_| {
                let result = load_bytes_until(name, &bytes, &Limits::default(), &stop);
                matches!(result, Err(Error::Interrupted))
            });
            assert!(stopped, "{name}");
        });
    }
}

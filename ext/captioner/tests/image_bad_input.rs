//! Whatever the bytes are: an image or an error that says what to do, no panic, no hang, no memory for what a header
//! claims.

use captioner::error::Error;
use captioner::image::{load_bytes, load_bytes_as, load_path, Limits};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Far more than any of these files needs, so that a slow machine does not fail.
const PATIENCE: Duration = Duration::from_secs(20);

fn fixtures() -> Vec<PathBuf> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.is_file());
    found.sort();
    found
}

/// Loads from bytes; only the two errors of an image may come out, with the name in the message.
fn attempt(name: &str, bytes: &[u8]) -> bool {
    let began = Instant::now();
    let result = load_bytes_as(name, bytes, &Limits::default());
    assert!(began.elapsed() < PATIENCE, "{name} took {:?}", began.elapsed());
    match result {
        Ok(image) => {
            assert_eq!(image.data.len(), image.width as usize * image.height as usize * 3, "{name}");
            true
        }
        Err(error @ (Error::UnreadableImage(_) | Error::ImageTooLarge(_))) => {
            let message = error.to_string();
            assert!(message.contains(name), "{message}");
            // Panics are caught and reported like this; none is known for these files, so none should come unnoticed.
            assert!(!message.contains("its decoder gave up"), "{message}");
            false
        }
        Err(other) => panic!("{name}: {other:?}"),
    }
}

fn temporary(name: &str, bytes: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("captioner-{}-{name}", std::process::id()));
    std::fs::write(&path, bytes).expect("a temporary file");
    path
}

#[test]
fn what_is_no_image() {
    let limits = Limits::default();
    let missing = load_path(Path::new("/nowhere/meme.png"), &limits).expect_err("missing");
    assert!(matches!(&missing, Error::NotFound(path) if path == Path::new("/nowhere/meme.png")), "{missing}");

    let folder = std::env::temp_dir();
    let empty = temporary("empty.png", b"");
    let text = temporary("text.jpg", b"<!doctype html><title>404</title>");
    let binary = temporary("binary.gif", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    for (path, word) in [(&folder, "directory"), (&empty, "empty"), (&text, "HTML"), (&binary, "00 01 02 03")] {
        let error = load_path(path, &limits).expect_err("no image");
        assert!(matches!(error, Error::UnreadableImage(_)), "{error}");
        let message = error.to_string();
        assert!(message.contains(word) && message.contains(&path.display().to_string()), "{message}");
    }
    [empty, text, binary].iter().for_each(|path| std::fs::remove_file(path).expect("removed"));
    if cfg!(unix) {
        let error = load_path(Path::new("/dev/zero"), &limits).expect_err("a device");
        assert!(matches!(error, Error::UnreadableImage(_)), "{error}");
    }
}

/// A file larger than any image within the limit is not read to its end.
#[test]
fn a_huge_file() {
    let path = temporary("huge.bmp", b"BM");
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("opened");
    file.set_len(1 << 40).unwrap_or_default();
    let error = load_path(&path, &Limits { max_pixels: 1000, ..Limits::default() }).expect_err("huge");
    std::fs::remove_file(&path).expect("removed");
    assert!(matches!(error, Error::ImageTooLarge(_) | Error::UnreadableImage(_)), "{error}");
}

/// Headers that ask for more than the limit, in every format: refused before anything is allocated.
#[test]
fn large_headers() {
    let png = [
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".as_slice(),
        &60_000u32.to_be_bytes(),
        &60_000u32.to_be_bytes(),
        &[8, 6, 0, 0, 0],
        &[0x80, 0xd2, 0x75, 0x42],
    ]
    .concat();
    let gif = b"GIF89a\xff\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x08".to_vec();
    let webp = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff".to_vec();
    let bmp = {
        let mut header = vec![0; 54];
        header[..2].copy_from_slice(b"BM");
        header[10] = 54;
        header[14] = 40;
        header[18..22].copy_from_slice(&60_000u32.to_le_bytes());
        header[22..26].copy_from_slice(&60_000u32.to_le_bytes());
        header[28] = 24;
        header
    };
    let jpeg = b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00".to_vec();
    for (name, bytes) in [("png", png), ("gif", gif), ("webp", webp), ("bmp", bmp), ("jpeg", jpeg)] {
        match load_bytes(&bytes, &Limits::default()) {
            Err(Error::ImageTooLarge(message)) => assert!(message.contains("max_pixels"), "{message}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn every_fixture_cut_anywhere() {
    for path in fixtures() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).expect("a fixture");
        for end in (0..bytes.len()).step_by(37) {
            attempt(&name, &bytes[..end]);
        }
    }
}

/// Seeded damage: some bytes replaced, in the headers more often than elsewhere.
#[test]
fn every_fixture_damaged() {
    let mut state = 11u64;
    let mut random = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    for path in fixtures() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).expect("a fixture");
        for round in 0..60 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + random(4) {
                let reach = if round % 2 == 0 { bytes.len().min(300) } else { bytes.len() };
                let at = random(reach);
                damaged[at] = random(256) as u8;
            }
            attempt(&name, &damaged);
        }
    }
}

/// Damaged and odd files from the wild, where they are at hand: `shared/corpus` beside the repository, or the folder that
/// `IMAGE_CORPUS` names.
#[test]
fn corpus() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let root = std::env::var_os("IMAGE_CORPUS").map_or(beside, PathBuf::from);
    let mut folders = vec![root];
    let (mut read, mut refused) = (0, 0);
    while let Some(folder) = folders.pop() {
        folders.extend(
            std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path()).filter(|path| path.is_dir()),
        );
        for path in files(&folder) {
            let bytes = std::fs::read(&path).expect("a file of the corpus");
            match attempt(&path.display().to_string(), &bytes) {
                true => read += 1,
                false => refused += 1,
            }
        }
    }
    println!("{read} read, {refused} refused");
}

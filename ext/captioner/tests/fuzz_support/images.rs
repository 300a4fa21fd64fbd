//! What every image must bear.

use captioner::error::Error;
use captioner::image::{load_bytes, Limits};

/// Loads under a small limit. An image or one of the two errors of an image comes out, and no decoder panics.
pub fn image(data: &[u8]) {
    let limits = Limits { max_pixels: 1 << 16, ..Limits::default() };
    match load_bytes(data, &limits) {
        Ok(image) => assert_eq!(image.data.len(), image.width as usize * image.height as usize * 3),
        Err(Error::UnreadableImage(message) | Error::ImageTooLarge(message)) => {
            assert!(!message.contains("its decoder gave up"), "{message}");
        }
        Err(other) => panic!("{other:?}"),
    }
}

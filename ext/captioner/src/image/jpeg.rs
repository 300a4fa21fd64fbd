//! JPEG.

use zune_jpeg::zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

use super::limits::Failure;
use super::{Limits, RgbImage};

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, Failure> {
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| Failure::unreadable(format!("{e:?}")))?;
    let (width, height) = decoder.dimensions().ok_or_else(Failure::truncated)?;
    limits.check(width as u64, height as u64)?;
    let data = decoder.decode().map_err(|e| Failure::unreadable(format!("{e:?}")))?;
    if data.len() != width * height * 3 {
        return Err(Failure::unreadable("unsupported number of channels"));
    }
    Ok(RgbImage { width: width as u32, height: height as u32, data })
}

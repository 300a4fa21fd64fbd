//! AVIF: pictures in AV1 in boxes, as libavif reads them for Pillow (AvifImagePlugin.py). Of a sequence the first frame.
//!
//! The boxes and the colours are read here, AV1 by re_rav1d.

use super::context::Context;
use super::ground::Ground;
use super::limits::Failure;
use super::{memory, RgbImage};

mod boxes;
mod colours;
mod decoder;
mod guard;
mod items;
mod planes;
mod properties;
mod tracks;
mod upsampling;

use boxes::Reader;
use decoder::{Buffers, Decoder};
use planes::Planes;
use properties::{unsupported, Description};

pub use guard::watch_panics;

/// What the decoder may be asked to decode in all: so many samples, and so many for each byte of data. Some tools of AV1 cost
/// 40 ns a sample and next to no bytes.
const MOST_SAMPLES: usize = 1 << 25;
const MOST_SAMPLES_A_BYTE: usize = 128;

/// AV1 data of a picture, or of the tiles of one.
struct Coded {
    /// Of the picture, and of each tile.
    size: (u32, u32),
    tile: (u32, u32),
    /// Tiles in a row, 0 for a picture without tiles.
    across: usize,
    operating_point: u8,
    data: Vec<Vec<u8>>,
}

/// What is to be decoded, and how it is meant.
struct Source {
    colour: Coded,
    alpha: Option<Coded>,
    /// Colours are multiplied with alpha already.
    premultiplied: bool,
    /// What the boxes say of the colours, which counts for more than what the data says.
    description: Option<Description>,
    /// As EXIF counts.
    orientation: u8,
}

impl Source {
    fn read(bytes: &[u8], context: &Context<'_>) -> Result<Self, Failure> {
        let mut file = Reader(bytes);
        let (mut brand, mut meta, mut movie) = (None, None, None);
        loop {
            let next = match file.next_of_file() {
                // What follows the boxes that are needed may be anything.
                Err(_) if meta.is_some() || movie.is_some() => None,
                next => next?,
            };
            let Some((kind, mut body)) = next else { break };
            match &kind {
                b"ftyp" => brand = brand.or(Some(body.kind()?)),
                b"meta" => meta = meta.or(Some(body)),
                b"moov" => movie = movie.or(Some(body)),
                _ => {}
            }
        }
        // As libavif chooses where a file has both.
        if let Some(movie) = movie.filter(|_| brand != Some(*b"avif") || meta.is_none()) {
            if let Some(source) = tracks::source(bytes, movie, context)? {
                return Ok(source);
            }
        }
        let meta = meta.ok_or_else(|| Failure::unreadable("it holds no picture"))?;
        items::source(bytes, meta, context)
    }
}

impl Coded {
    fn bytes(&self) -> usize {
        self.data.iter().map(Vec::len).sum()
    }

    /// All of it, in one piece.
    fn decode(&self, buffers: &Buffers) -> Result<(Planes, Description), Failure> {
        let tile = (self.tile.0 as usize, self.tile.1 as usize);
        let pixels = u32::try_from(tile.0 * tile.1).unwrap_or(u32::MAX);
        let mut decoder = Decoder::new(buffers.clone(), pixels, self.operating_point)?;
        let mut whole: Option<(Planes, Description)> = None;
        for (i, data) in self.data.iter().enumerate() {
            decoder.decode(data, |planes, description| {
                if (planes.width, planes.height) != tile {
                    return Err(Failure::unreadable("the sizes of frame and picture differ"));
                }
                if whole.is_none() {
                    let size = (self.size.0 as usize, self.size.1 as usize);
                    whole = Some((Planes::new(size, planes.depth, planes.subsampling)?, description));
                }
                let Some((whole, _)) = &mut whole else { unreachable!() };
                if (whole.depth, whole.subsampling) != (planes.depth, planes.subsampling) {
                    return Err(Failure::unreadable("its tiles differ in depth or colours"));
                }
                let across = self.across.max(1);
                whole.paste(planes, (i % across * tile.0, i / across * tile.1));
                Ok(())
            })??;
        }
        whole.ok_or_else(|| Failure::unreadable("it holds no picture"))
    }
}

/// The orientation that the boxes give. EXIF data has no say in AVIF.
pub(super) fn orientation(bytes: &[u8], context: &Context<'_>) -> Option<u8> {
    Source::read(bytes, context).ok().map(|source| source.orientation)
}

pub(super) fn decode(bytes: &[u8], context: &Context<'_>, ground: &mut Ground) -> Result<RgbImage, Failure> {
    let source = Source::read(bytes, context)?;
    let (width, height) = source.colour.size;
    let pixels = context.check(width.into(), height.into())?;
    let coded = || [Some(&source.colour), source.alpha.as_ref()].into_iter().flatten();
    if source.alpha.as_ref().is_some_and(|alpha| alpha.size != source.colour.size) {
        return Err(unsupported("an alpha plane of another size"));
    }
    let mut data = memory::room(pixels * 3)?;
    let bytes: usize = coded().map(Coded::bytes).sum();
    let buffers = Buffers::new(bytes.saturating_mul(MOST_SAMPLES_A_BYTE).saturating_add(MOST_SAMPLES));
    let Source { colour, alpha, premultiplied, description, .. } = source;
    let shared = buffers.clone();
    let decoded = guard::run(context, move || {
        let (colour, told) = colour.decode(&shared)?;
        let alpha = alpha.map(|alpha| alpha.decode(&shared)).transpose()?;
        Ok::<_, Failure>((colour, told, alpha))
    });
    match decoded {
        // The decoder's thread sleeps and will not come back to them.
        Err(Failure::Unreadable(_)) => buffers.clear(),
        Err(Failure::Interrupted) => buffers.refuse(),
        _ => {}
    }
    let (colour, told, alpha) = decoded??;
    let description = description.unwrap_or(told);
    let alpha = alpha.map(|(planes, told)| colours::Alpha { planes, full_range: told.full_range, premultiplied });
    colours::rgb(&colour, alpha.as_ref(), description, context, ground, &mut data)?;
    if ground.hides() {
        // Only the colours are made again, not the picture.
        *ground = Ground::black();
        data.clear();
        colours::rgb(&colour, alpha.as_ref(), description, context, ground, &mut data)?;
    }
    Ok(RgbImage { width, height, data })
}

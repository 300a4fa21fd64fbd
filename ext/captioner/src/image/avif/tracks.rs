//! The tracks of a sequence, of which the first picture is taken.

use super::super::context::Context;
use super::super::limits::Failure;
use super::super::memory;
use super::boxes::{Kind, Reader};
use super::properties::Properties;
use super::{Coded, Source};

/// Bytes of a sample entry before its boxes.
const ENTRY: usize = 78;

/// One track.
#[derive(Default)]
struct Track {
    id: u32,
    size: (u32, u32),
    /// The tracks that it is an auxiliary one of, and whose alpha it is multiplied with.
    auxiliary_of: Option<u32>,
    multiplied_with: Option<u32>,
    is_av1: bool,
    properties: Properties,
    /// Where the first sample begins, and its bytes.
    offset: Option<u64>,
    length: Option<u64>,
}

/// The first picture of a file with this movie box; None where no track has pictures in AV1.
pub(super) fn source(file: &[u8], mut movie: Reader<'_>, context: &Context<'_>) -> Result<Option<Source>, Failure> {
    let mut tracks = Vec::new();
    while let Some((kind, body)) = movie.next_box()? {
        if kind == *b"trak" {
            let mut track = Track::default();
            track.read(body)?;
            tracks.push(track);
        }
    }
    let usable = |track: &&Track| track.is_av1 && track.id != 0 && track.offset.is_some();
    let Some(colour) = tracks.iter().filter(usable).find(|track| track.auxiliary_of.is_none()) else { return Ok(None) };
    let alpha = tracks.iter().filter(usable).find(|track| track.auxiliary_of == Some(colour.id));
    Ok(Some(Source {
        colour: colour.coded(file, colour.size, context)?,
        alpha: alpha.map(|alpha| alpha.coded(file, colour.size, context)).transpose()?,
        premultiplied: alpha.is_some_and(|alpha| colour.multiplied_with == Some(alpha.id)),
        description: colour.properties.colours,
        orientation: colour.properties.orientation(),
    }))
}

impl Track {
    fn read(&mut self, mut boxes: Reader<'_>) -> Result<(), Failure> {
        while let Some((kind, mut body)) = boxes.next_box()? {
            match &kind {
                b"tkhd" => {
                    let (version, _) = body.version()?;
                    body.take(if version == 1 { 16 } else { 8 })?;
                    self.id = body.long()?;
                    // Duration, layer, volume and matrix.
                    body.take(if version == 1 { 12 } else { 8 } + 52)?;
                    self.size = (body.long()? >> 16, body.long()? >> 16);
                }
                b"tref" => {
                    self.auxiliary_of = first_reference(body, b"auxl")?;
                    self.multiplied_with = first_reference(body, b"prem")?;
                }
                b"mdia" => {
                    let information = body.find(b"minf")?.unwrap_or(Reader(&[]));
                    self.read_table(information.find(b"stbl")?.unwrap_or(Reader(&[])))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The sample table.
    fn read_table(&mut self, mut boxes: Reader<'_>) -> Result<(), Failure> {
        while let Some((kind, mut body)) = boxes.next_box()? {
            match &kind {
                b"stsd" => self.read_entry(body)?,
                b"stco" | b"co64" => {
                    body.version()?;
                    if body.long()? > 0 {
                        self.offset = Some(body.number(if kind == *b"stco" { 4 } else { 8 })?);
                    }
                }
                b"stsz" => {
                    body.version()?;
                    self.length = match (body.long()?, body.long()?) {
                        (_, 0) => None,
                        (0, _) => Some(body.long()?.into()),
                        (all, _) => Some(all.into()),
                    };
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The description of the samples, in which properties lie as those of items do.
    fn read_entry(&mut self, mut body: Reader<'_>) -> Result<(), Failure> {
        body.version()?;
        body.long()?;
        let Some((kind, mut entry)) = body.next_box()? else { return Ok(()) };
        if kind != *b"av01" {
            return Ok(());
        }
        self.is_av1 = true;
        entry.take(ENTRY)?;
        while let Some((kind, body)) = entry.next_box()? {
            self.properties.add(&kind, false, body)?;
        }
        Ok(())
    }

    fn coded(&self, file: &[u8], size: (u32, u32), context: &Context<'_>) -> Result<Coded, Failure> {
        context.check(size.0.into(), size.1.into())?;
        let place = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok());
        let (offset, length) = (place(self.offset), place(self.length));
        let (offset, length) = offset.zip(length).ok_or_else(|| Failure::unreadable("it has no frame"))?;
        let sample = file.get(offset..).and_then(|rest| rest.get(..length)).ok_or_else(Failure::truncated)?;
        let mut data = memory::room(sample.len())?;
        data.extend_from_slice(sample);
        Ok(Coded { size, tile: size, across: 0, operating_point: self.properties.operating_point, data: vec![data] })
    }
}

/// The first track that is referred to in one way.
fn first_reference(references: Reader<'_>, kind: &Kind) -> Result<Option<u32>, Failure> {
    references.find(kind)?.map(|mut body| body.long()).transpose()
}

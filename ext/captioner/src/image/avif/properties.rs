//! What a file says of a picture beside its data: size, colours, how it is to be turned.

use super::super::limits::Failure;
use super::boxes::{Kind, Reader};

/// Kinds that may be marked as essential because they are heeded here, or because Pillow does not heed them.
const KNOWN: [&Kind; 14] = [
    b"ispe", b"pixi", b"av1C", b"colr", b"auxC", b"irot", b"imir", b"clap", b"pasp", b"a1op", b"lsel", b"a1lx",
    b"clli", b"mdcv",
];

/// Colours in the numbers of ITU-T H.273.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Description {
    pub(super) primaries: u32,
    pub(super) matrix: u32,
    pub(super) full_range: bool,
}

/// The properties of one picture, of which the first of each kind counts.
#[derive(Clone, Default)]
pub(super) struct Properties {
    pub(super) size: Option<(u32, u32)>,
    pub(super) colours: Option<Description>,
    /// It is an alpha plane.
    pub(super) is_alpha: bool,
    /// Quarter turns, counter-clockwise.
    turns: Option<u8>,
    /// Then left and right are exchanged, or top and bottom.
    mirrored: Option<bool>,
    pub(super) operating_point: u8,
}

impl Properties {
    /// Takes note of one property.
    pub(super) fn add(&mut self, kind: &Kind, essential: bool, mut body: Reader<'_>) -> Result<(), Failure> {
        match kind {
            b"ispe" if self.size.is_none() => {
                body.version()?;
                self.size = Some((body.long()?, body.long()?));
            }
            b"colr" if self.colours.is_none() && body.kind()? == *b"nclx" => {
                let (primaries, _, matrix) = (body.short()?, body.short()?, body.short()?);
                let full_range = body.byte()? & 0x80 != 0;
                self.colours = Some(Description { primaries: primaries.into(), matrix: matrix.into(), full_range });
            }
            b"auxC" | b"auxi" => {
                body.version()?;
                self.is_alpha |= names_alpha(body.0);
            }
            b"irot" if self.turns.is_none() => self.turns = Some(body.byte()? & 3),
            b"imir" if self.mirrored.is_none() => self.mirrored = Some(body.byte()? & 1 != 0),
            b"a1op" => self.operating_point = body.byte()? & 31,
            b"lsel" if body.short()? != 0xffff => return Err(unsupported("one layer of several")),
            _ if essential && !KNOWN.contains(&kind) => {
                return Err(unsupported(&format!("a property that it needs, {}", kind.escape_ascii())));
            }
            _ => {}
        }
        Ok(())
    }

    /// The EXIF orientation that says the same as turning and mirroring.
    pub(super) fn orientation(&self) -> u8 {
        match (self.turns.unwrap_or(0), self.mirrored) {
            (0, None) => 1,
            (1, None) => 8,
            (2, None) => 3,
            (_, None) => 6,
            (0, Some(true)) | (2, Some(false)) => 2,
            (0, Some(false)) | (2, Some(true)) => 4,
            (1, Some(true)) | (3, Some(false)) => 7,
            (_, Some(_)) => 5,
        }
    }
}

/// One of the two names by which an auxiliary picture is an alpha plane.
fn names_alpha(name: &[u8]) -> bool {
    // Both are shorter; a file may have the same long name looked at a million times.
    let name = name[..name.len().min(64)].split(|&byte| byte == 0).next().unwrap_or_default();
    name == b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha" || name == b"urn:mpeg:hevc:2015:auxid:1"
}

pub(super) fn unsupported(what: &str) -> Failure {
    Failure::unreadable(format!("{what} is not supported in it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_and_mirroring() {
        let orientation = |turns: Option<u8>, axis: Option<u8>| {
            let mut properties = Properties::default();
            for (kind, value) in [(b"irot", turns), (b"imir", axis)] {
                if let Some(value) = value {
                    properties.add(kind, true, Reader(&[value])).expect("a property");
                }
            }
            properties.orientation()
        };
        assert_eq!([None, Some(1), Some(2), Some(3)].map(|turns| orientation(turns, None)), [1, 8, 3, 6]);
        assert_eq!([0, 1, 2, 3].map(|turns| orientation(Some(turns), Some(1))), [2, 7, 4, 5]);
        assert_eq!([0, 1, 2, 3].map(|turns| orientation(Some(turns), Some(0))), [4, 5, 2, 7]);
        assert_eq!(orientation(None, Some(1)), 2);
    }

    #[test]
    fn what_is_needed_and_not_known() {
        let mut properties = Properties::default();
        assert!(properties.add(b"iscl", false, Reader(b"")).is_ok());
        assert!(properties.add(b"iscl", true, Reader(b"")).is_err());
        assert!(properties.add(b"lsel", true, Reader(&[0, 0])).is_err());
        assert!(properties.add(b"ispe", false, Reader(&[0; 11])).is_err());
    }

    #[test]
    fn colours() {
        let mut properties = Properties::default();
        properties.add(b"colr", false, Reader(b"prof....")).expect("a profile");
        assert_eq!(properties.colours, None);
        properties.add(b"colr", false, Reader(b"nclx\0\x01\0\x0d\0\x06\x80")).expect("numbers");
        assert_eq!(properties.colours, Some(Description { primaries: 1, matrix: 6, full_range: true }));
    }
}

//! What a file is, by its first bytes.

/// A format that is read. Nothing else is ever decoded, whatever the file is called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
    Bmp,
    Tiff,
    Avif,
}

/// Bytes that [`Format::find`] and [`foreign`] want to see.
pub(super) const PREFIX: usize = 1024;

impl Format {
    /// The format, and where in the bytes it begins: scripts that send pictures put blank lines in front of them.
    pub(super) fn find(bytes: &[u8]) -> Option<(Self, usize)> {
        let blank = bytes.iter().take(PREFIX - 16).take_while(|byte| byte.is_ascii_whitespace()).count();
        Self::sniff(&bytes[blank..]).map(|format| (format, blank))
    }

    fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
            [b'B', b'M', ..] => Some(Format::Bmp),
            [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Some(Format::Tiff),
            [_, _, _, _, b'f', b't', b'y', b'p', brands @ ..] if has_brand(brands, &[b"avif", b"avis"]) => {
                Some(Format::Avif)
            }
            _ => None,
        }
    }

    /// There are animations of this format.
    pub(super) fn may_move(self) -> bool {
        matches!(self, Format::Png | Format::Gif | Format::WebP)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::Gif => "GIF",
            Format::WebP => "WebP",
            Format::Bmp => "BMP",
            Format::Tiff => "TIFF",
            Format::Avif => "AVIF",
        }
    }
}

const CONVERT: &str = "convert it to JPEG, PNG, GIF, WebP, AVIF, BMP or TIFF";
const EXPORT: &str = "export a picture of it as PNG or JPEG";
const STILL: &str = "take a frame of it as a picture, for instance with ffmpeg";
const UNPACK: &str = "unpack it and give the pictures in it";

/// What a file that is not read is, and the way out.
pub(super) fn foreign(bytes: &[u8]) -> (String, &'static str) {
    if bytes.is_empty() {
        return ("is empty".into(), "check the download or the upload that made it");
    }
    if let Some((what, way)) = binary(bytes).or_else(|| text(bytes)) {
        return (format!("is {what}"), way);
    }
    if bytes.iter().take(12).all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')) {
        return ("is text or another format".into(), CONVERT);
    }
    let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    (format!("starts with the bytes {}", start.join(" ")), CONVERT)
}

/// Kinds that fixed bytes tell.
fn binary(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const SIGNATURES: &[(&[u8], &str, &str)] = &[
        (b"\xff\x0a", "JPEG XL", CONVERT),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL", CONVERT),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000", CONVERT),
        (b"\xff\x4f\xff\x51", "JPEG 2000", CONVERT),
        (b"II+\0", "BigTIFF", CONVERT),
        (b"MM\0+", "BigTIFF", CONVERT),
        (b"8BPS", "a Photoshop document", EXPORT),
        (b"%PDF-", "a PDF document", EXPORT),
        (b"%!PS", "a PostScript document", EXPORT),
        (b"\0\0\x01\0", "a Windows icon", CONVERT),
        (b"qoif", "QOI", CONVERT),
        (b"\x76\x2f\x31\x01", "OpenEXR", CONVERT),
        (
            b"\0\x05\x16\x07",
            "AppleDouble, what macOS keeps beside a file",
            "give the file of the same name without the ._ in front of it",
        ),
        (b"\0\x05\x16\0", "AppleSingle, a file packed by macOS", UNPACK),
        (b"\x1a\x45\xdf\xa3", "a video, Matroska or WebM", STILL),
        (b"FLV\x01", "a video, Flash", STILL),
        (b"\0\0\x01\xba", "a video, MPEG", STILL),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video, Windows Media", STILL),
        (b"OggS", "a video or sound, Ogg", STILL),
        (b"ID3", "sound, MP3", "give a picture"),
        (b"fLaC", "sound, FLAC", "give a picture"),
        (b"PK\x03\x04", "a ZIP archive or an office document", UNPACK),
        (b"\x1f\x8b", "packed with gzip", UNPACK),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
        (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
        (b"SQLite format 3\0", "an SQLite database", "give a picture"),
    ];
    if let Some((_, what, way)) = SIGNATURES.iter().find(|(start, ..)| bytes.starts_with(start)) {
        return Some((what, way));
    }
    match bytes {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => Some(("a video, AVI", STILL)),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some(("sound, WAV", "give a picture")),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => Some(base_media(brand)),
        [b'P', b'1'..=b'7', b'\n' | b' ' | b'\r' | b'\t' | b'#', ..] => {
            Some(("a netpbm picture (PBM, PGM, PPM)", CONVERT))
        }
        _ => None,
    }
}

/// One of these brands is among those of a file of the ISO base media format: the major one, its version, then those that it
/// is compatible with.
fn has_brand(brands: &[u8], wanted: &[&[u8]]) -> bool {
    let compatible = brands.get(8..).unwrap_or_default().chunks_exact(4).take(16);
    brands.get(..4).into_iter().chain(compatible).any(|brand| wanted.contains(&brand))
}

/// The kinds of the ISO base media format that are not read.
fn base_media(brands: &[u8]) -> (&'static str, &'static str) {
    let heic: [&[u8]; 10] = [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"];
    if has_brand(brands, &heic) {
        return (
            "HEIC, as iPhones take pictures",
            "share it as JPEG (Settings, Camera, Formats, Most Compatible) or convert it",
        );
    }
    ("a video, MP4 or QuickTime", STILL)
}

/// Kinds that are text.
fn text(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(PREFIX)]).to_ascii_lowercase();
    let start = start.trim_start_matches('\u{feff}').trim_start();
    let page = "download the picture itself: a page, often one that reports an error, was saved in its place";
    if start.starts_with("version https://git-lfs.") {
        return Some(("a Git LFS pointer", "fetch the file it stands for with git lfs pull"));
    }
    if start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with("<head") {
        return Some(("an HTML page", page));
    }
    if start.starts_with('<') && start.contains("<svg") {
        return Some(("SVG, a drawing", "draw it as PNG, for instance with rsvg-convert"));
    }
    if start.starts_with("<body") || (start.starts_with('<') && start.contains("<html")) {
        return Some(("an HTML page", page));
    }
    if start.starts_with("<?xml") {
        return Some(("XML", "download the picture itself: an answer of a server was saved in its place"));
    }
    if start.starts_with('{') && start.contains('"') {
        return Some(("JSON", "download the picture itself: an answer of a server was saved in its place"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_ways_out() {
        let cases: [(&[u8], &str, &str); 16] = [
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC", "JPEG"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC", "JPEG"),
            (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", "video", "ffmpeg"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "video", "ffmpeg"),
            (b"\x1a\x45\xdf\xa3\x01\0\0\0", "WebM", "ffmpeg"),
            (b"\xff\x0a\xfa\x1f", "JPEG XL", "convert"),
            (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL", "convert"),
            (b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg xmlns='http://www.w3.org/2000/svg'>", "SVG", "PNG"),
            (b"\xef\xbb\xbf<SVG width='10'>", "SVG", "PNG"),
            (b"%PDF-1.7\n", "PDF", "export"),
            (b"\n<!DOCTYPE html>\n<title>404</title>", "HTML", "download"),
            (b"<html><body><svg></svg>", "HTML", "download"),
            (b"{\"error\": \"not found\"}", "JSON", "download"),
            (b"\0\x05\x16\x07\0\x02\0\0Mac OS X", "AppleDouble", "._"),
            (b"version https://git-lfs.github.com/spec/v1\n", "LFS", "git lfs pull"),
            (b"PK\x03\x04\x14\0", "ZIP", "unpack"),
        ];
        for (bytes, what, way) in cases {
            let (is, out) = foreign(bytes);
            assert!(is.contains(what), "{is} for {what}");
            assert!(out.contains(way), "{out} for {what}");
            assert_eq!(Format::find(bytes), None);
        }
    }

    #[test]
    fn blank_lines_in_front() {
        assert_eq!(Format::find(b"\r\n\xff\xd8\xff\xe0"), Some((Format::Jpeg, 2)));
        assert_eq!(Format::find(b"GIF89a"), Some((Format::Gif, 0)));
        assert_eq!(Format::find(&[b' '; 2000]), None);
    }

    #[test]
    fn what_nothing_tells() {
        assert_eq!(foreign(b"").0, "is empty");
        assert_eq!(foreign(b"hello, world").0, "is text or another format");
        assert_eq!(foreign(&[0, 1, 2, 3, 4]).0, "starts with the bytes 00 01 02 03");
        assert_eq!(foreign(b"\0\0\0\x18ftyp").0, "is a video, MP4 or QuickTime");
    }
}

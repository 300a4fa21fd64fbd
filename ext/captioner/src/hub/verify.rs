//! Is this file what the hub has: its length and its hash.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::Stop;
use crate::error::Result;

/// What is known about a file before it is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    pub size: Option<u64>,
    /// From the pin, otherwise from the ETag of a large file.
    pub sha256: Option<String>,
    /// The ETag of a small file: the hash git has for it. Some mirrors send the plain sha1 instead, which will do.
    pub sha1: Option<String>,
}

/// Whether the file is as expected; the inner error says what differs. Fails with `Interrupted` when asked to stop.
pub(super) fn verify(path: &Path, expected: &Expected, stop: &Stop) -> Result<std::result::Result<(), String>> {
    let read_failed = |error: std::io::Error| Ok(Err(format!("cannot read it back: {error}")));
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (size, mut file) = match opened {
        Ok(opened) => opened,
        Err(error) => return read_failed(error),
    };
    if let Some(wanted) = expected.size.filter(|wanted| *wanted != size) {
        return Ok(Err(format!("it has {size} bytes instead of {wanted}")));
    }
    let mut sha256 = expected.sha256.as_ref().map(|_| Sha256::new());
    let mut sha1 = expected.sha1.as_ref().map(|_| (Sha1::new_with_prefix(format!("blob {size}\0")), Sha1::new()));
    if sha256.is_none() && sha1.is_none() {
        return Ok(Ok(()));
    }
    let mut buffer = vec![0; 1 << 18];
    loop {
        stop.check()?;
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return read_failed(error),
        };
        if let Some(hash) = &mut sha256 {
            hash.update(&buffer[..count]);
        }
        if let Some((git, plain)) = &mut sha1 {
            git.update(&buffer[..count]);
            plain.update(&buffer[..count]);
        }
    }
    if let (Some(hash), Some(wanted)) = (sha256, &expected.sha256) {
        let got = hex(&hash.finalize());
        if !got.eq_ignore_ascii_case(wanted) {
            return Ok(Err(format!("its sha256 is {got} instead of {wanted}")));
        }
    }
    if let (Some((git, plain)), Some(wanted)) = (sha1, &expected.sha1) {
        let got = hex(&git.finalize());
        if !got.eq_ignore_ascii_case(wanted) && !hex(&plain.finalize()).eq_ignore_ascii_case(wanted) {
            return Ok(Err(format!("its git hash is {got} instead of {wanted}")));
        }
    }
    Ok(Ok(()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes_of_known_bytes() {
        let path = std::env::temp_dir().join(format!("hub-verify-{}", std::process::id()));
        std::fs::write(&path, "hello\n").unwrap();
        let check = |size: Option<u64>, sha256: Option<&str>, sha1: Option<&str>| {
            let expected = Expected { size, sha256: sha256.map(Into::into), sha1: sha1.map(Into::into) };
            verify(&path, &expected, &Stop::default()).unwrap()
        };
        // `git hash-object`, `sha1sum` and `sha256sum` of the same six bytes.
        assert_eq!(check(Some(6), None, Some("ce013625030ba8dba906f756967f9e9ca394464a")), Ok(()));
        assert_eq!(check(None, None, Some("f572d396fae9206628714fb2ce00f72e94f2258f")), Ok(()));
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(check(Some(6), Some(sha256), None), Ok(()));
        assert!(check(Some(7), None, None).unwrap_err().contains("6 bytes instead of 7"));
        assert!(check(None, Some(&"0".repeat(64)), None).unwrap_err().contains(sha256));
        assert!(check(None, None, Some(&"0".repeat(40))).unwrap_err().contains("ce0136"));
        std::fs::remove_file(&path).unwrap();
    }
}

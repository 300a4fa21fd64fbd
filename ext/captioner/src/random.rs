//! Random numbers for names of temporary files and the spread of pauses; not for secrets.

use std::hash::{BuildHasher, Hasher, RandomState};

pub fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Eight digits.
pub fn hex() -> String {
    // Two processes forked from one share the hasher's keys.
    format!("{:08x}", (number() ^ u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 32)
}

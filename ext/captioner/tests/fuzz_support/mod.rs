//! Fuzzing without a fuzzer: seeds are damaged by a seeded generator and handed to a target that panics on a fault. The
//! targets of cargo-fuzz (`fuzz/`) call the same functions.
//!
//! `FUZZ_RUNS` sets how many inputs each target gets and `FUZZ_SEED` where the generator begins; what fails is written to
//! the folder that `FUZZ_OUT` names.

// Each test file uses a part of this.
#![allow(dead_code)]

pub mod json;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};

/// Inputs of a target in a run that must stay short.
const RUNS: u64 = 2_000;

/// A generator good enough to choose what to damage (PCG's multiplier, upper bits).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most.max(1)
    }
}

/// Values at which computations turn over.
const EDGES: [u32; 12] = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/// One seed with some damage; `other` is another seed to take parts from.
pub fn damaged(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..1 + random.below(5) {
        // The beginning decides most, so it is damaged most.
        let reach = match random.below(3) {
            0 => data.len(),
            1 => data.len().min(64),
            _ => data.len().min(600),
        };
        let at = random.below(reach);
        let length = (1 + random.below(32)).min(data.len() - at.min(data.len()));
        match random.below(9) {
            0 if at < data.len() => data[at] ^= 1 << random.below(8),
            1 if at < data.len() => data[at] = random.below(256) as u8,
            2 | 3 => {
                let size = [1, 2, 4][random.below(3)];
                let edge = EDGES[random.below(EDGES.len())];
                let bytes = if random.below(2) == 0 {
                    edge.to_le_bytes()
                } else {
                    edge.rotate_left(32 - size as u32 * 8).to_be_bytes()
                };
                if let Some(target) = data.get_mut(at..at + size) {
                    target.copy_from_slice(&bytes[..size]);
                }
            }
            4 => drop(data.drain(at..at + length)),
            5 => {
                let copy = data[at..at + length].to_vec();
                let to = random.below(data.len() + 1);
                data.splice(to..to, copy);
            }
            6 => data.truncate(at),
            7 if !other.is_empty() => {
                let from = random.below(other.len());
                let part = other[from..other.len().min(from + 1 + random.below(200))].to_vec();
                let end = data.len().min(at + part.len());
                data.splice(at..end, part);
            }
            _ => {
                let value = [0, 0xff][random.below(2)];
                data.splice(at..at, vec![value; 1 + random.below(64)]);
            }
        }
        if data.is_empty() {
            break;
        }
    }
    data
}

/// The files of a folder whose names end so.
pub fn seeds(folder: &Path, ending: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(ending));
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a seed")).collect()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Hands damaged seeds to `target`, and says which one it did not bear.
pub fn run(
    name: &str,
    seeds: &[Vec<u8>],
    damage: impl Fn(&[u8], &[u8], &mut Random) -> Vec<u8>,
    target: impl Fn(&[u8]),
) {
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let (runs, first) = (number("FUZZ_RUNS", RUNS), number("FUZZ_SEED", 1));
    for round in first..first + runs {
        let mut random = Random::new(round);
        let (seed, other) = (random.below(seeds.len()), random.below(seeds.len()));
        let data = damage(&seeds[seed], &seeds[other], &mut random);
        if catch_unwind(AssertUnwindSafe(|| target(&data))).is_err() {
            let out = std::env::var_os("FUZZ_OUT").map_or_else(std::env::temp_dir, PathBuf::from);
            let path = out.join(format!("{name}-{round}"));
            std::fs::write(&path, &data).expect("the input that failed");
            panic!("{name} failed on {}; FUZZ_SEED={round} FUZZ_RUNS=1 repeats it", path.display());
        }
    }
}

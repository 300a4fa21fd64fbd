//! Which instructions the matrix kernels use: the best that this processor has, or what `MEME_CAPTIONER_KERNELS` says.

use once_cell::sync::Lazy;

use crate::{Error, Result};

/// The environment variable that forces a set of instructions.
const VARIABLE: &str = "MEME_CAPTIONER_KERNELS";

/// A set of instructions that matrix kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Whatever the target has; the compiler vectorises what it can.
    Portable,
    /// NEON, which every 64-bit ARM processor has.
    Neon,
    /// NEON with the int8 dot products of ARMv8.2 (`dotprod`).
    NeonDot,
    /// NEON with the int8 matrix products of ARMv8.6 (`i8mm`) too.
    NeonI8mm,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX2 with the int8 dot products of AVX-VNNI.
    Avx2Vnni,
    /// AVX-512 with VNNI.
    Avx512,
    /// AVX-512 with VNNI and BF16.
    Avx512Bf16,
}

static CHOICE: Lazy<std::result::Result<Isa, String>> = Lazy::new(|| choose(std::env::var(VARIABLE).ok().as_deref()));

impl Isa {
    /// The set in use. Forced to one that is not there, it is the best that is; [`Isa::check`] says so.
    pub fn current() -> Self {
        CHOICE.clone().unwrap_or_else(|_| Self::best())
    }

    /// Does this processor have what `MEME_CAPTIONER_KERNELS` asks for?
    ///
    /// # Errors
    /// `InvalidArgument` if not.
    pub fn check() -> Result<()> {
        CHOICE.as_ref().map(drop).map_err(|message| Error::InvalidArgument(message.clone()))
    }

    /// Every set that this processor has, the plainest first.
    pub fn available() -> Vec<Self> {
        Self::compiled().filter(|isa| isa.is_there()).collect()
    }

    /// Every set that there are kernels for on this architecture.
    fn compiled() -> impl Iterator<Item = Self> {
        let arm: &[Self] = &[Self::Neon, Self::NeonDot, Self::NeonI8mm];
        let x86: &[Self] = &[Self::Avx2, Self::Avx2Vnni, Self::Avx512, Self::Avx512Bf16];
        let own = match std::env::consts::ARCH {
            "x86_64" => x86,
            "aarch64" => arm,
            _ => &[],
        };
        [Self::Portable].iter().chain(own).copied()
    }

    fn best() -> Self {
        Self::available().into_iter().max().unwrap_or(Self::Portable)
    }

    /// The name that forces it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon | Self::NeonDot | Self::NeonI8mm => "neon",
            Self::Avx2 | Self::Avx2Vnni => "avx2",
            Self::Avx512 | Self::Avx512Bf16 => "avx512",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn is_there(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = || has!("avx2") && has!("fma") && has!("f16c");
        let avx512 = || {
            avx2() && has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512dq") && has!("avx512vnni")
        };
        match self {
            Self::Portable => true,
            Self::Avx2 => avx2(),
            Self::Avx2Vnni => avx2() && has!("avxvnni"),
            Self::Avx512 => avx512(),
            Self::Avx512Bf16 => avx512() && has!("avx512bf16"),
            Self::Neon | Self::NeonDot | Self::NeonI8mm => false,
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn is_there(self) -> bool {
        use std::arch::is_aarch64_feature_detected as has;
        match self {
            Self::Portable => true,
            Self::Neon => has!("neon"),
            Self::NeonDot => has!("neon") && has!("dotprod"),
            Self::NeonI8mm => has!("neon") && has!("dotprod") && has!("i8mm"),
            Self::Avx2 | Self::Avx2Vnni | Self::Avx512 | Self::Avx512Bf16 => false,
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn is_there(self) -> bool {
        self == Self::Portable
    }
}

fn choose(forced: Option<&str>) -> std::result::Result<Isa, String> {
    let Some(name) = forced.filter(|name| !name.is_empty()) else { return Ok(Isa::best()) };
    if !["portable", "neon", "avx2", "avx512"].contains(&name) {
        return Err(format!("{VARIABLE} is {name:?}; it can be portable, neon, avx2 or avx512"));
    }
    let found = Isa::available().into_iter().filter(|isa| isa.name() == name).max();
    found.ok_or_else(|| format!("{VARIABLE} is {name}, which this processor does not have; unset it"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Written past the test's own output, so that it is seen when all is well.
    #[test]
    fn sets_that_are_not_tested_here_are_named() {
        let there = Isa::available();
        assert!(there.first() == Some(&Isa::Portable) && there.is_sorted());
        let missing: Vec<_> = Isa::compiled().filter(|isa| !there.contains(isa)).collect();
        if !missing.is_empty() {
            let line =
                format!("\nKernels that are not tested, as this processor lacks the instructions: {missing:?}\n");
            std::io::stderr().write_all(line.as_bytes()).expect("there is an output");
        }
    }

    #[test]
    fn a_set_can_be_forced_and_a_wrong_name_is_told() {
        assert_eq!(choose(Some("portable")), Ok(Isa::Portable));
        assert_eq!(choose(None), Ok(Isa::best()));
        assert_eq!(choose(Some("")), Ok(Isa::best()));
        assert!(choose(Some("sse9")).is_err_and(|message| message.contains("sse9") && message.contains("avx512")));
    }

    #[test]
    fn what_is_not_there_is_told() {
        for name in ["neon", "avx2", "avx512"] {
            let there = Isa::available().iter().any(|isa| isa.name() == name);
            assert_eq!(choose(Some(name)).is_ok(), there);
        }
    }
}

#![no_main]

#[path = "../../tests/fuzz_support/images.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::image(data));

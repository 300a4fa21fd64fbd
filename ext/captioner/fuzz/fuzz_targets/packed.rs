#![no_main]

#[path = "../../tests/fuzz_support/models.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::packed_file(data));

//! `cargo +nightly fuzz run --features libfuzzer configuration`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| serpent_fuzz::configuration(bytes));

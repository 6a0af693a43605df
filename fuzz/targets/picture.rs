//! `cargo +nightly fuzz run --features libfuzzer picture`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| serpent_fuzz::picture(bytes));

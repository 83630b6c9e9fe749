//! `tests/fuzz_corpus/times.rs` on any bytes.

#![no_main]

#[path = "../../tests/fuzz_corpus/times.rs"]
mod times;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    times::holds_for(bytes);
});

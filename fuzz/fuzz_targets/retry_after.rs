//! `tests/fuzz_corpus/retry_after.rs` on any bytes.

#![no_main]

#[path = "../../tests/fuzz_corpus/retry_after.rs"]
mod retry_after;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    retry_after::holds_for(bytes);
});

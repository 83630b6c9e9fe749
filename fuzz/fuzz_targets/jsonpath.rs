//! `tests/fuzz_corpus/jsonpath.rs` on any bytes.

#![no_main]

#[path = "../../tests/fuzz_corpus/jsonpath.rs"]
mod jsonpath;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    jsonpath::holds_for(bytes);
});

//! `tests/fuzz_corpus/answer.rs` on any bytes.

#![no_main]

#[path = "../../tests/fuzz_corpus/answer.rs"]
mod answer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    answer::holds_for(bytes);
});

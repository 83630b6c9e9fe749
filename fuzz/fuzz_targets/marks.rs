//! `tests/fuzz_corpus/marks.rs` on any bytes.

#![no_main]

#[path = "../../tests/fuzz_corpus/marks.rs"]
mod marks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    marks::holds_for(bytes);
});

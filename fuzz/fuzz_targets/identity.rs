//! `tests/fuzz_corpus/identity.rs` on any bytes.

#![no_main]

#[path = "../../tests/fuzz_corpus/identity.rs"]
mod identity;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    identity::holds_for(bytes);
});

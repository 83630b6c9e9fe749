//! `tests/fuzz_corpus/ledger.rs` on any bytes.

#![no_main]

#[path = "../../tests/fuzz_corpus/ledger.rs"]
mod ledger;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    ledger::holds_for(bytes);
});

//! Every input of `fuzz/corpus` through the law of its fuzz target, so that `cargo test` finds again what fuzzing found once.
//!
//! A module here is the law of one target. `fuzz/fuzz_targets` throws arbitrary bytes at it; this program needs no fuzzer. An input
//! that broke a law goes into the corpus of its target together with the change that mends it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod answer;
mod identity;
mod jsonpath;
mod ledger;
mod marks;
mod retry_after;
mod times;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A law panics where it is broken, and says whether the bytes were an input for it at all.
type Law = fn(&[u8]) -> bool;

const LAWS: [(&str, Law); 7] = [
    ("answer", answer::holds_for),
    ("identity", identity::holds_for),
    ("jsonpath", jsonpath::holds_for),
    ("ledger", ledger::holds_for),
    ("marks", marks::holds_for),
    ("retry_after", retry_after::holds_for),
    ("times", times::holds_for),
];

#[test]
fn every_input_of_the_corpus_is_understood_and_keeps_the_law_of_its_target() {
    for (target, law) in LAWS {
        let inputs = entries(&format!("corpus/{target}"));
        assert!(!inputs.is_empty(), "fuzz/corpus/{target} has no input");
        for input in inputs {
            // A test that fails shows this, and so which input broke the law.
            println!("{}", input.display());
            let understood = law(&fs::read(&input).unwrap());
            assert!(understood, "{}: the law reads nothing from it, so it proves nothing", input.display());
        }
    }
}

#[test]
fn every_fuzz_target_has_a_law_a_corpus_and_a_program() {
    let laws: BTreeSet<String> = LAWS.iter().map(|(target, _)| (*target).to_owned()).collect();
    let named = |folder: &str| entries(folder).iter().map(|path| stem(path)).collect::<BTreeSet<_>>();
    assert_eq!(named("fuzz_targets"), laws, "fuzz/fuzz_targets, and the laws here");
    assert_eq!(named("corpus"), laws, "fuzz/corpus, and the laws here");
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let name = |line: &str| Some(line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\"")?.to_owned());
    assert_eq!(manifest.lines().filter_map(name).collect::<BTreeSet<_>>(), laws, "fuzz/Cargo.toml, and the laws here");
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// What is in a folder of `fuzz`.
fn entries(folder: &str) -> Vec<PathBuf> {
    let path = fuzz().join(folder);
    let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

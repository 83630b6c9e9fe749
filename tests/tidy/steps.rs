//! The steps that the decision can return, and those that the table shows.

use std::collections::BTreeSet;

use super::read;

const STEPS: &str = "src/rotation/plan/step.rs";
const LEDGER: &str = "src/api/ledger.rs";

/// The variants of an enum, read from its file; a list beside the enum would miss new ones. Relies on rustfmt, which indents them by
/// four blanks.
fn variants(file: &str, name: &str) -> BTreeSet<String> {
    let text = read(file);
    let begin = format!("pub enum {name} {{");
    let body = text.lines().skip_while(|line| *line != begin).skip(1).take_while(|line| *line != "}");
    let variants: BTreeSet<String> =
        body.filter_map(|line| line.strip_prefix("    ")).filter_map(leading_name).collect();
    assert!(!variants.is_empty(), "no enum {name} in {file}");
    variants
}

/// The name with a capital letter that the text begins with.
fn leading_name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
    name.starts_with(|first: char| first.is_ascii_uppercase()).then_some(name)
}

#[test]
fn every_step_stands_in_the_table() {
    let table = read("tests/decisions.txt");
    let shown: BTreeSet<&str> =
        table.lines().filter_map(|line| line.rsplit_once(" -> ")).map(|(_, step)| step).collect();
    let names: BTreeSet<String> = shown.iter().filter_map(|step| leading_name(step)).collect();
    assert_eq!(names, variants(STEPS, "Step"), "add a section to tests/decisions/sections.rs that leads to the step");
    let with = |step: &str, word: String| format!("{step}({word})");
    let outcomes = variants(LEDGER, "Outcome").into_iter().map(|word| with("Decide", word));
    let reasons = variants(STEPS, "GiveUpReason").into_iter().map(|word| with("GiveUp", word));
    let missing: Vec<String> = outcomes.chain(reasons).filter(|step| !shown.contains(step.as_str())).collect();
    assert!(missing.is_empty(), "add a section to tests/decisions/sections.rs that leads to {missing:?}");
}

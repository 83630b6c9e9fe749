//! The table of presets in the documents is made out of the presets' files.

use std::collections::BTreeSet;
use std::fs;

use artifact_token_operator::api::token_service::Preset;
use artifact_token_operator::service::presets;

use super::{read, root};

/// The page with the table, and the lines around it.
const PAGE: &str = "docs/services.md";
const HEAD: &str =
    "| `preset` | service | tokens have names | expiry | `credentials` | maturity |\n|---|---|---|---|---|---|\n";
const LAST: &str = "| `Custom` | what `operations` says | as declared | as declared | as declared | |\n";

fn row(preset: Preset) -> Option<String> {
    let (text, file) = (preset.file()?, presets::file(preset)?);
    let about = text.lines().next().unwrap().trim_start_matches("# ").trim_end_matches('.');
    let operations = serde_json::to_string(&file.operations).unwrap();
    let credentials: BTreeSet<String> = operations.split("credentials.").skip(1).map(name).collect();
    let credentials: Vec<String> = credentials.iter().map(|name| format!("`{name}`")).collect();
    let yes = |it: bool| if it { "yes" } else { "no" };
    let names = file.operations.naming.as_ref().is_none_or(|naming| !naming.unsupported);
    let expiry = file.operations.lifetime.is_some();
    let (names, expiry, credentials) = (yes(names), yes(expiry), credentials.join(", "));
    Some(format!("| `{preset:?}` | {about} | {names} | {expiry} | {credentials} | {:?} |\n", file.maturity))
}

/// The name with which this text begins.
fn name(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}

#[test]
fn the_table_of_presets_is_that_of_their_files() {
    let page = read(PAGE);
    let begin = page.find("| `preset` |").unwrap_or_else(|| panic!("{PAGE} has no table of presets"));
    let end = begin + page[begin..].find("\n\n").unwrap() + 1;
    let rows: String = Preset::ALL.iter().copied().filter_map(row).collect();
    let table = format!("{HEAD}{rows}{LAST}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(root().join(PAGE), format!("{}{table}{}", &page[..begin], &page[end..])).unwrap();
        return;
    }
    assert!(
        page[begin..end] == table,
        "{PAGE}: the table of presets is stale: UPDATE_GOLDEN=1 tests/run tidy\n{table}"
    );
}

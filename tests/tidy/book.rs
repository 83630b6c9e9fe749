//! The documents as a book: its table of contents, its runbooks, and what its examples mount.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{documents, files, headings, read, relative_links, resolved, yaml_blocks};

/// The table of contents, in the form that mdBook reads.
const CONTENTS: &str = "docs/SUMMARY.md";

/// What every runbook has, in this order.
const RUNBOOK: [&str; 4] = ["meaning", "impact", "look", "do"];

#[test]
fn every_page_stands_once_in_the_table_of_contents() {
    let listed: Vec<String> = relative_links(CONTENTS).iter().map(|link| resolved(CONTENTS, link)).collect();
    let pages: BTreeSet<String> = files("docs", "md").into_iter().filter(|page| page != CONTENTS).collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), pages, "{CONTENTS} must have each page of docs/");
    assert_eq!(listed.len(), pages.len(), "{CONTENTS} has a page twice: {listed:?}");
}

#[test]
fn the_table_of_contents_has_only_lines_that_mdbook_reads() {
    for (number, line) in read(CONTENTS).lines().enumerate() {
        let item = line.trim_start();
        let entry = item.starts_with("- [") && item.ends_with(".md)");
        let title = line.starts_with("# ");
        assert!(entry || title || line.is_empty(), "{CONTENTS}:{} is neither a title nor an entry: {line}", number + 1);
    }
}

#[test]
fn every_runbook_says_what_it_means_what_it_costs_how_to_look_and_what_to_do() {
    let pages = files("docs/runbooks", "md");
    assert!(pages.len() > 1, "the runbooks are gone");
    for page in pages.iter().filter(|page| !page.ends_with("/index.md")) {
        let name = page.trim_start_matches("docs/runbooks/").trim_end_matches(".md");
        let found: Vec<String> = headings(page).collect();
        assert_eq!(found.first(), Some(&name.to_lowercase()), "{page}: the title is the name of the alert");
        assert_eq!(found[1..], RUNBOOK, "{page}: the headings of a runbook");
        assert!(read("docs/runbooks/index.md").contains(&format!("[{name}]({name}.md)")), "index.md lacks {name}");
    }
}

#[test]
fn what_an_example_mounts_is_a_secret_of_its_page_and_a_whole_directory() {
    let mut mounted = 0;
    for page in documents() {
        let objects: Vec<Value> = yaml_blocks(&read(&page))
            .iter()
            .flat_map(|(_, block)| serde_saphyr::from_multiple::<Value>(block).unwrap())
            .collect();
        let written: BTreeSet<&str> = objects.iter().filter_map(written).collect();
        for object in &objects {
            let kind = object["kind"].as_str().unwrap_or("a file");
            for name in named(object, "secretName") {
                assert!(written.contains(name), "{page}: {kind} mounts {name}, which no ArtifactToken there writes");
                mounted += 1;
            }
            // Such a mount keeps the old token until the pod ends.
            for word in ["subPath", "sub_path"] {
                assert!(named(object, word).is_empty(), "{page}: {kind} has {word}: mount the directory");
            }
        }
    }
    assert!(mounted > 0, "no example mounts anything");
}

/// The Secret that an ArtifactToken writes.
fn written(object: &Value) -> Option<&str> {
    (object["kind"] == "ArtifactToken").then_some(())?;
    object["spec"]["secret"]["name"].as_str()
}

/// The texts of all fields of this name, at any depth.
fn named<'a>(value: &'a Value, name: &str) -> Vec<&'a str> {
    match value {
        Value::Object(fields) => {
            let own = fields.get(name).and_then(Value::as_str);
            own.into_iter().chain(fields.values().flat_map(|field| named(field, name))).collect()
        }
        Value::Array(items) => items.iter().flat_map(|item| named(item, name)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_mount_is_found_at_any_depth() {
    let pod = serde_json::json!({"spec": {"volumes": [{"name": "a", "secret": {"secretName": "a-token"}}], "secretName": "b"}});
    assert_eq!(named(&pod, "secretName"), ["b", "a-token"]);
}

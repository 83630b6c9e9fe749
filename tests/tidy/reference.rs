//! The reference: its pages of fields and of marks are made out of the CRDs and of the code; those of conditions, events and flags name what
//! there is, and nothing else.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{files, read, root};

const FIELDS: &str = "docs/reference/fields.md";
const FIELDS_HEAD: &str = "# Fields

The fields of the three kinds, from the schemas in `crds/`. The API server refuses a value that a schema does not allow, and kubectl
refuses a field that no schema has. `kubectl explain artifacttoken.spec.rotation` says the same in a terminal. This page is written by
`UPDATE_GOLDEN=1 cargo test --test tidy`.

`a[]` is each item of the list `a`, and `a.*` each value of the map `a`. A field in **bold** is required where the object that it belongs to is
given.
";

const MARKS: &str = "docs/reference/marks.md";
const MARKS_HEAD: &str = "# Annotations, labels and finalizers

From the constants of the code. This page is written by `UPDATE_GOLDEN=1 cargo test --test tidy`.
";

/// Where marks are defined, and what the page says of them.
const MARKED: [(&str, &str, &str); 3] = [
    (
        "src/api/artifact_token.rs",
        "What you write on an ArtifactToken",
        "Annotations. [The plugin](kubectl.md) writes the first two for you. `reconcile-requested-at` is for TokenServices and \
         ClusterTokenServices, too.",
    ),
    (
        "src/secret/metadata.rs",
        "What stands on Secrets",
        "The operator writes them, and repairs what others change there; only the label `hand-over` is a person's. They are hints: \
         no token is made or revoked for what stands here alone.",
    ),
    (
        "src/api/mod.rs",
        "Finalizers",
        "Each keeps an object until its tokens are dead. Whoever takes one away lets living tokens go. \
         [Uninstall](../how-to/uninstall.md) says what to do instead.",
    ),
];

/// Compares a page with what it should be, or writes it.
pub fn is_golden(page: &str, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(root().join(page), text).unwrap();
        return;
    }
    let there = fs::read_to_string(root().join(page)).unwrap_or_default();
    let stale = text.lines().find(|line| !there.contains(line));
    assert!(there == text, "{page} is stale (UPDATE_GOLDEN=1 rewrites it); the first line that it lacks: {stale:?}");
}

#[test]
fn the_page_of_fields_is_that_of_the_schemas() {
    let schema = |file: &str| -> Value {
        let definition: Value = serde_saphyr::from_str(&read(&format!("crds/{file}.yaml"))).unwrap();
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"].clone()
    };
    let of_namespace = table(&schema("tokenservices"));
    let mut page = FIELDS_HEAD.to_owned();
    let mut section = |title: &str, rows: &[String]| {
        write!(page, "\n## {title}\n\n| field | type | default | means |\n|---|---|---|---|\n{}", rows.concat())
            .unwrap();
    };
    section("ArtifactToken", &table(&schema("artifacttokens")));
    section("TokenService", &of_namespace);
    let others: Vec<_> =
        table(&schema("clustertokenservices")).into_iter().filter(|row| !of_namespace.contains(row)).collect();
    section("ClusterTokenService, where it differs from a TokenService", &others);
    is_golden(FIELDS, &page);
}

/// A row for each field of `spec` and `status`.
fn table(properties: &Value) -> Vec<String> {
    let mut rows = Vec::new();
    for top in ["spec", "status"] {
        children(top, &properties[top], &mut rows);
    }
    rows
}

/// The rows of what is below a field.
fn children(path: &str, schema: &Value, rows: &mut Vec<String>) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let (path, shown) = (format!("{path}.{name}"), format!("`{path}.{name}`"));
        let shown = if required.contains(&name.as_str()) { format!("**{shown}**") } else { shown };
        let default = field.get("default").map(|value| format!("`{value}`")).unwrap_or_default();
        let means = field["description"].as_str().unwrap_or_default().replace('|', "\\|").replace('\n', " ");
        rows.push(format!("| {shown} | {} | {default} | {means} |\n", type_of(field)));
        below(&path, field, rows);
    }
}

/// The rows below a field, through lists and maps.
fn below(path: &str, field: &Value, rows: &mut Vec<String>) {
    let (items, values) = (&field["items"], &field["additionalProperties"]);
    if items.is_object() {
        below(&format!("{path}[]"), items, rows);
    } else if values.is_object() {
        below(&format!("{path}.*"), values, rows);
    } else {
        children(path, field, rows);
    }
}

fn type_of(field: &Value) -> String {
    if let Some(words) = field["enum"].as_array() {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return words.join(", ");
    }
    match field["type"].as_str().unwrap_or("any") {
        "array" => format!("list of {}", type_of(&field["items"])),
        "object" if field["additionalProperties"].is_object() => {
            format!("map of {}", type_of(&field["additionalProperties"]))
        }
        "string" if field["format"] == "date-time" => "time".to_owned(),
        other => other.to_owned(),
    }
}

#[test]
fn the_page_of_marks_is_that_of_the_constants() {
    let mut page = MARKS_HEAD.to_owned();
    for (file, title, about) in MARKED {
        write!(page, "\n## {title}\n\n{about}\n\n| mark | means |\n|---|---|\n{}", marks(&read(file))).unwrap();
    }
    is_golden(MARKS, &page);
    for file in files("src", "rs") {
        let elsewhere = !MARKED.iter().any(|(marked, ..)| *marked == file) && !marks(&read(&file)).is_empty();
        assert!(!elsewhere, "{file} defines a mark: the page {MARKS} does not look there");
    }
}

/// The words in backticks in the first column of the tables of a page.
fn named(page: &str) -> BTreeSet<String> {
    let text = read(page);
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split(" | ").next().unwrap_or_default());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn the_pages_of_conditions_and_of_events_name_each_of_them() {
    let definition: Value = serde_saphyr::from_str(&read("crds/artifacttokens.yaml")).unwrap();
    let status = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
    let condition = &definition.pointer(&format!("{status}/conditions/items/properties")).unwrap();
    let known = ["type", "reason"].into_iter().flat_map(|field| condition[field]["enum"].as_array().unwrap());
    let known: BTreeSet<String> = known.map(|word| word.as_str().unwrap().to_owned()).collect();
    let pages = named("docs/reference/conditions.md").union(&named("docs/reference/events.md")).cloned().collect();
    assert_eq!(known, pages, "the words of the API, and those of the pages");
}

#[test]
fn the_page_of_flags_names_each_flag_and_each_command() {
    let help = Command::new(env!("CARGO_BIN_EXE_artifact-token-operator")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with("--"));
    let known: BTreeSet<String> = lines.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    let (commands, page): (BTreeSet<_>, _) =
        named("docs/reference/flags.md").into_iter().partition(|word| word.starts_with("artifact-token-operator"));
    assert_eq!(known, page, "the flags of --help, and those of the page");
    let own: Vec<_> = commands.iter().filter_map(|command| command.split(' ').nth(1)).collect();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let listed: Vec<_> =
        listed.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert_eq!(listed, own, "the commands of --help, and those of the page");
}

/// A row for each constant that is a mark, with the comment above it.
fn marks(code: &str) -> String {
    let (mut rows, mut comment) = (String::new(), Vec::new());
    for line in code.lines() {
        if let Some(said) = line.strip_prefix("/// ") {
            comment.push(said);
        } else {
            let value = line.split_once(": &str = \"").filter(|_| line.starts_with("pub const "));
            let value = value.and_then(|(_, value)| value.strip_suffix("\";"));
            if let Some(mark) = value.filter(|value| value.starts_with("artifact-token.dev/")) {
                writeln!(rows, "| `{mark}` | {} |", comment.join(" ")).unwrap();
            }
            comment.clear();
        }
    }
    rows
}

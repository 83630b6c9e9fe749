//! Unknown values are refused. `values.yaml`, its schema and the table in the documents say the same.

use serde_json::{Value, json};
use testbed::{ControlPlane, Options};

use crate::release::{RELEASE, chart, helm};

/// The table. Written by `UPDATE_GOLDEN=1 cargo test --test chart`; never by hand.
const TABLE: &str = "docs/reference/values.md";
const HEAD: &str = "# Values of the chart

The values of `charts/artifact-token-operator`, from the comments of its `values.yaml`. Any other key is refused. The table is written by
`UPDATE_GOLDEN=1 cargo test --test chart`.

| value | default | means |
|---|---|---|
";

/// A value that is set as a whole.
pub struct Leaf {
    /// With points between the keys.
    pub path: String,
    /// Its default, as JSON.
    default: Value,
    /// The comment above it.
    text: String,
}

fn file(name: &str) -> String {
    std::fs::read_to_string(chart().join(name)).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&file("values.schema.json")).unwrap()
}

/// Every value, in the order of `values.yaml`. What the schema lets be any object is one value.
pub fn leaves() -> Vec<Leaf> {
    let (text, schema) = (file("values.yaml"), schema());
    let defaults: Value = serde_saphyr::from_str(&text).unwrap();
    let (mut leaves, mut path, mut comment) = (Vec::new(), Vec::<String>::new(), Vec::<String>::new());
    for line in text.lines() {
        let words = line.trim_start();
        let depth = (line.len() - words.len()) / 2;
        if let Some(said) = words.strip_prefix("# ") {
            comment.push(said.to_owned());
            continue;
        }
        let key = words.split_once(':').map(|(key, _)| key).filter(|key| key.chars().all(char::is_alphanumeric));
        let said = std::mem::take(&mut comment).join(" ");
        let Some(key) = key else { continue };
        // Below a leaf.
        if depth > path.len() || depth > 0 && group(&schema, &path[..depth]).is_none() {
            continue;
        }
        path.truncate(depth);
        path.push(key.to_owned());
        if group(&schema, &path).is_none() {
            let default = defaults.pointer(&format!("/{}", path.join("/"))).unwrap().clone();
            leaves.push(Leaf { path: path.join("."), default, text: said });
        }
    }
    leaves
}

/// The properties of the object at `path`; `None` if it is a value as a whole.
fn group<'a>(schema: &'a Value, path: &[String]) -> Option<&'a Value> {
    let node = path.iter().fold(schema, |node, key| &node["properties"][key]);
    node.get("properties")
}

/// The paths of the objects whose keys the schema lists.
fn groups(schema: &Value, at: &str) -> Vec<String> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let below = properties.iter().flat_map(|(key, inner)| groups(inner, &format!("{at}/{key}")));
    std::iter::once(at.to_owned()).chain(below).collect()
}

/// The paths of the values as the schema has them.
fn described(schema: &Value, at: &str) -> Vec<String> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return vec![at.to_owned()] };
    let point = if at.is_empty() { "" } else { "." };
    properties.iter().flat_map(|(key, inner)| described(inner, &format!("{at}{point}{key}"))).collect()
}

#[test]
fn values_and_schema_have_the_same_keys_and_each_value_says_what_it_means() {
    let leaves = leaves();
    let mute: Vec<_> = leaves.iter().filter(|leaf| leaf.text.is_empty()).map(|leaf| &leaf.path).collect();
    assert!(mute.is_empty(), "a comment above each of {mute:?} in values.yaml");
    let mut here: Vec<String> = leaves.into_iter().map(|leaf| leaf.path).collect();
    let mut there = described(&schema(), "");
    // Helm's own, for all charts.
    there.retain(|path| path != "global");
    here.sort();
    there.sort();
    assert_eq!(here, there);
}

#[test]
fn the_table_of_the_documents_is_that_of_the_chart() {
    let cell = |text: &str| text.replace('|', "\\|");
    let row =
        |leaf: &Leaf| format!("| `{}` | `{}` | {} |\n", leaf.path, cell(&leaf.default.to_string()), cell(&leaf.text));
    let table = HEAD.to_owned() + &leaves().iter().map(row).collect::<String>();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return std::fs::write(path, table).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    let stale = table.lines().find(|line| !there.lines().any(|there| there == *line));
    assert!(there == table, "{TABLE} is stale (UPDATE_GOLDEN=1 rewrites it); the first line that it lacks: {stale:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_values_are_refused_everywhere() {
    let plane = ControlPlane::shared(Options::default()).await.unwrap();
    let groups = groups(&schema(), "");
    assert!(groups.len() > 10, "{groups:?}");
    for group in groups {
        let unknown = group
            .rsplit('/')
            .filter(|key| !key.is_empty())
            .fold(json!({"unknown": 1}), |inner, key| json!({key: inner}));
        let chart = chart();
        let output = helm(&plane, &["template", RELEASE, chart.to_str().unwrap()], &unknown);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let named = told.contains("additional properties 'unknown' not allowed") && told.contains(&group);
        assert!(!output.status.success() && named, "{unknown}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_finds_nothing_to_say_against_the_chart() {
    let plane = ControlPlane::shared(Options::default()).await.unwrap();
    let chart = chart();
    let output = helm(&plane, &["lint", "--strict", chart.to_str().unwrap()], &json!({}));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && told.contains("0 chart(s) failed"), "{told}");
    for level in ["[WARNING]", "[ERROR]"] {
        assert!(!told.contains(level), "{told}");
    }
}

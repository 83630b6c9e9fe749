//! Metrics, alerts and the dashboard, checked by Prometheus' own tool.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{World, token_yaml};
use testbed::folder::RunFolder;
use testbed::{http, promtool};

use crate::run;

const FILES: &str = "charts/artifact-token-operator/files";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tool() -> Command {
    Command::new(promtool::ensure().unwrap())
}

fn alerts() -> Value {
    let text = fs::read_to_string(alerts_path()).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

fn rules() -> Vec<Value> {
    alerts()["groups"][0]["rules"].as_array().unwrap().clone()
}

/// The page that an operator with a service and a token serves, as a reader without OpenMetrics gets it.
async fn page() -> String {
    let world = World::start("metrics").await;
    let operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    let request = http::client().unwrap().get(format!("http://{}/metrics", operator.admin_address()));
    http::answer(request).await.unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_are_named_as_prometheus_asks_for() {
    let page = page().await;
    let mut check = tool()
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && complaint.is_empty(), "{complaint}\n{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_metrics_names_each_of_them() {
    let page = page().await;
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let served: BTreeSet<&str> = types.filter(|name| name.starts_with("artifacttoken_")).collect();
    let documents = fs::read_to_string(repository().join("docs/reference/metrics.md")).unwrap();
    let rows = documents.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let named: BTreeSet<&str> = rows.filter(|name| name.starts_with("artifacttoken_")).collect();
    assert_eq!(served, named, "what an operator serves, and what docs/reference/metrics.md names");
}

/// The names in an expression that are metrics of the operator.
fn named(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("artifacttoken_")).map(str::to_owned).collect()
}

/// The expressions of the dashboard's panels.
fn queries() -> Vec<String> {
    panels().into_iter().map(|(_, expression)| expression).collect()
}

/// The titles of the dashboard's panels, each with an expression.
pub fn panels() -> Vec<(String, String)> {
    let text = fs::read_to_string(repository().join(FILES).join("dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let of = |value: &Value| value.as_str().unwrap().to_owned();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets =
        panels.flat_map(|panel| panel["targets"].as_array().unwrap().iter().map(move |target| (panel, target)));
    targets.map(|(panel, target)| (of(&panel["title"]), of(&target["expr"]))).collect()
}

/// The alerts of the chart.
pub fn alerts_path() -> PathBuf {
    repository().join(FILES).join("alerts.yaml")
}

#[test]
fn each_alert_and_each_panel_asks_for_metrics_that_there_are() {
    let documents = fs::read_to_string(repository().join("docs/reference/metrics.md")).unwrap();
    let known = |name: &str| {
        let base = name.trim_end_matches("_bucket");
        documents.contains(&format!("`{base}`"))
    };
    let of_alerts = rules().into_iter().map(|rule| rule["expr"].as_str().unwrap().to_owned());
    let all: Vec<String> = of_alerts.chain(queries()).collect();
    assert!(all.len() > 30, "{all:?}");
    for expression in all {
        let names = named(&expression);
        assert!(!names.is_empty(), "{expression}");
        let unknown: Vec<_> = names.iter().filter(|name| !known(name)).collect();
        assert!(unknown.is_empty(), "docs/reference/metrics.md knows no {unknown:?}: {expression}");
    }
}

#[test]
fn the_queries_of_the_dashboard_are_queries() {
    let folder = RunFolder::create("dashboard").unwrap();
    // Prometheus' tool parses the expressions of rules.
    let rule = |(number, expr): (usize, String)| json!({"record": format!("dashboard:query_{number}"), "expr": expr});
    let rules: Vec<Value> = queries().into_iter().enumerate().map(rule).collect();
    let path = folder.file("queries.yaml");
    fs::write(&path, json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string()).unwrap();
    run(tool().args(["check", "rules"]).arg(path));
}

#[test]
fn each_alert_fires_and_stays_silent_as_it_should() {
    let folder = RunFolder::create("alerts").unwrap();
    let copied = |from: PathBuf, name: &str| {
        let path = folder.file(name);
        fs::copy(from, &path).unwrap();
        path
    };
    let tests = repository().join("tests/release/alerts");
    copied(alerts_path(), "alerts.yaml");
    let scripts = ["minutes.yaml", "days.yaml"].map(|name| copied(tests.join(name), name));
    run(tool().args(["check", "rules"]).arg(folder.file("alerts.yaml")));
    run(tool().args(["test", "rules"]).args(&scripts));
    let text: String = scripts.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        let of = |words: &str| {
            text.contains(&format!("alertname: {name}{words}")) || text.contains(&format!("alertname: {name},{words}"))
        };
        assert!(of("\n"), "no test has {name} fire");
        assert!(of(" exp_alerts: []"), "no test has {name} stay silent");
    }
}

#[test]
fn each_alert_leads_to_a_page_that_there_is() {
    let pages = repository().join("docs/runbooks");
    let mut linked = BTreeSet::new();
    for rule in rules() {
        let url = rule["annotations"]["runbook_url"].as_str().unwrap();
        // mdBook makes the one of the other.
        let name = url.strip_prefix("RUNBOOKS/").and_then(|page| page.strip_suffix(".html"));
        let page = format!("{}.md", name.unwrap_or_else(|| panic!("{url}")));
        assert!(pages.join(&page).is_file(), "docs/runbooks has no {page}");
        linked.insert(page);
    }
    let there = fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let unused: Vec<_> = there.filter(|name| name != "index.md" && !linked.contains(name)).collect();
    assert!(unused.is_empty(), "no alert leads to {unused:?}");
}

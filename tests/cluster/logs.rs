//! Logs for collectors: one line for each act outside, with the keys of `docs/reference/logs.md` and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};
use support::{World, token_yaml};
use testbed::Operator;

/// The keys that the table of the page names.
fn documented() -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/logs.md");
    let page = fs::read_to_string(page).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    cells
        .flat_map(|cell| cell.split(',').map(|key| key.trim().trim_matches('`').to_owned()).collect::<Vec<_>>())
        .collect()
}

#[tokio::test]
async fn every_act_outside_is_one_line_of_json_with_documented_keys() {
    let world = World::start("logs").await;
    let options = world.operator_options().argument("--log-format=json").argument("--leader-election=on");
    let options = options.argument(format!("--operator-namespace={}", world.namespace)).variable("RUST_LOG", "info");
    let mut operator = Operator::start(options).await.unwrap();
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    world.annotate("ci", "artifact-token.dev/rotate-requested-at", "1").await;
    world.until_attempt("ci", 2).await;
    world.agrees("ci", "ci-secret").await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    // The last lines come after the object is gone.
    operator.stop(support::DEADLINE).await.unwrap();
    let log = operator.log();
    let lines: Vec<Map<String, Value>> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let documented = documented();
    for line in &lines {
        let unknown: Vec<&String> = line.keys().filter(|key| !documented.contains(*key)).collect();
        assert!(unknown.is_empty(), "docs/reference/logs.md does not name {unknown:?} of {line:?}");
    }
    let object = format!("{}/ci", world.namespace);
    let count = |act: &str, key: &str, value: &str| {
        let is = |line: &&Map<String, Value>| {
            line.get("act").is_some_and(|found| found == act) && line.get(key).is_some_and(|found| found == value)
        };
        lines.iter().filter(is).count()
    };
    assert_eq!(count("generate", "object", &object), 2, "{log}");
    assert!(count("verify", "object", &object) >= 2 && count("revoke", "object", &object) >= 2, "{log}");
    let secret = format!("{}/ci-secret", world.namespace);
    assert!(count("create", "secret", &secret) == 1 && count("update", "secret", &secret) >= 1, "{log}");
    assert_eq!(count("delete", "secret", &secret), 1, "{log}");
    let results: Vec<&Value> = lines.iter().filter_map(|line| line.get("reason")).collect();
    for reason in ["TokenIssued", "RotationCompleted", "TokenRevoked"] {
        assert!(results.iter().any(|found| *found == reason), "no line has the reason {reason}: {log}");
    }
}

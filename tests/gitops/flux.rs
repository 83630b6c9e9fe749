//! Health checks of Flux: three CEL expressions for each kind, the first that is true decides.

use cel::{Context, Program, Value as Answer};
use serde_json::Value;

use crate::documented;
use crate::situations::{Situation, services, tokens};

/// What Flux makes of an object: `inProgress`, `failed` and `current` are asked in this order.
fn health(expressions: &Value, object: &Value) -> &'static str {
    for (key, answer) in [("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current")] {
        let text = expressions[key].as_str().unwrap_or_else(|| panic!("no {key}"));
        let program = Program::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut context = Context::default();
        for field in ["metadata", "spec", "status"] {
            context.add_variable(field, &object[field]).unwrap();
        }
        match program.execute(&context) {
            Ok(Answer::Bool(true)) => return answer,
            Ok(Answer::Bool(false)) => {}
            other => panic!("{text}: {other:?}\n{object:#}"),
        }
    }
    "Unknown"
}

#[test]
fn flux_waits_for_each_situation_and_fails_where_a_person_must_act() {
    let checks = documented("Kustomization", "tokens")["spec"]["healthCheckExprs"].as_array().unwrap().clone();
    let kinds: Vec<_> = checks.iter().map(|check| check["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ArtifactToken", "TokenService", "ClusterTokenService"]);
    let of: [fn() -> Vec<Situation>; 3] = [tokens, services, services];
    for (check, situations) in checks.iter().zip(of) {
        for situation in situations() {
            assert_eq!(health(check, &situation.object), situation.flux, "{}, {}", check["kind"], situation.name);
        }
    }
}

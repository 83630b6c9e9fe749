//! Declarations whose answers could be taken for something else: a verdict for the other one, an id for the value, a length
//! for a time.

use serde_json::{Value, json};

use super::{CUSTOM, changed, problems};

fn verify(accepted: Value, refused: Value) -> Vec<String> {
    let mut spec = changed(CUSTOM, "/operations/verify/accepted", accepted);
    let verify = spec.operations.as_mut().unwrap().verify.as_mut().unwrap();
    verify.refused = serde_json::from_value(refused).unwrap();
    problems(&spec)
}

#[test]
fn no_answer_is_declared_as_accepted_and_as_refused() {
    let body = |path: &str, equals: Value| json!({"path": path, "equals": equals});
    let with = |status: i32, body: Value| json!({"statuses": [status], "body": body});
    let apart = [
        (json!({"statuses": [200]}), Value::Null),
        (json!({"statuses": [400]}), json!({"statuses": [401, 403]})),
        (with(200, body("$.ok", json!("true"))), with(200, body("$.ok", json!("false")))),
        // Two places: an answer that meets both is unknown, and such an answer need not exist.
        (with(200, body("$.user", Value::Null)), with(200, body("$.error", Value::Null))),
        (
            with(200, body("$.ok", json!("true"))),
            json!({"statuses": [401], "or": [with(200, body("$.ok", json!("false")))]}),
        ),
    ];
    for (accepted, refused) in apart {
        assert_eq!(verify(accepted.clone(), refused.clone()), Vec::<String>::new(), "{accepted} {refused}");
    }
    let overlapping = [
        (json!({"statuses": [200]}), json!({"statuses": [200, 401, 403]}), "refused: "),
        (json!({"statuses": [200, 401]}), Value::Null, "refused: "),
        (json!({"statuses": [200]}), with(200, body("$.error", Value::Null)), "refused: "),
        (with(200, body("$.ok", Value::Null)), with(200, body("$['ok']", json!("false"))), "refused: "),
        (with(200, body("$.ok", json!("1"))), with(200, body("$.ok", json!("1"))), "refused: "),
        (
            json!({"statuses": [200]}),
            json!({"statuses": [401], "or": [{"statuses": [403]}, {"statuses": [200]}]}),
            "refused.or[1]: ",
        ),
    ];
    for (accepted, refused, field) in overlapping {
        let told = verify(accepted.clone(), refused.clone());
        assert_eq!(told.len(), 1, "{accepted} {refused}: {told:?}");
        assert!(told[0].starts_with(&format!("spec.operations.verify.{field}means answers that accepted")), "{told:?}");
    }
    let wrong =
        verify(json!({"statuses": [200]}), json!({"statuses": [401], "or": [with(403, body("ok", Value::Null))]}));
    assert!(wrong[0].starts_with("spec.operations.verify.refused.or[0].body.path: not a JSONPath"), "{wrong:?}");
}

#[test]
fn an_id_is_never_read_where_the_value_is() {
    for id in ["$.token", "$['token']", "$[\"token\"]"] {
        let told = problems(&changed(CUSTOM, "/operations/generate/response/id", json!(id)));
        assert_eq!(told.len(), 1, "{id}: {told:?}");
        assert!(told[0].starts_with("spec.operations.generate.response.id: is the token itself"), "{told:?}");
    }
    assert_eq!(
        problems(&changed(CUSTOM, "/operations/generate/response/id", json!("$.token.id"))),
        Vec::<String>::new()
    );
}

#[test]
fn an_expiry_is_declared_where_the_answer_has_it_and_nowhere_else() {
    let declared = |expiry: &str, path: Value| {
        let mut spec = changed(CUSTOM, "/operations/lifetime/expiry", json!(expiry));
        spec.operations.as_mut().unwrap().generate.as_mut().unwrap().response.expiration_time =
            serde_json::from_value(path).unwrap();
        problems(&spec)
    };
    let path = || json!("$.expires_in");
    for (expiry, path) in
        [("Answered", path()), ("Answered", Value::Null), ("AnsweredSeconds", path()), ("Requested", Value::Null)]
    {
        assert_eq!(declared(expiry, path), Vec::<String>::new(), "{expiry}");
    }
    let field = "spec.operations.generate.response.expirationTime: is ";
    assert!(declared("AnsweredSeconds", Value::Null)[0].starts_with(&format!("{field}missing")));
    assert!(declared("Requested", path())[0].starts_with(&format!("{field}not read")));
}

//! A service that repeats what it was sent, and one that gives a token in the place of its id: no value reaches the person.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use support::canary::Canary;
use support::peer::{Peer, answer};

use super::{Bench, Told};

const USER: &str = "operator-of-the-registry";
/// It looks otherwise in JSON, in a form, in a path and in base64.
const PASSWORD: &str = "a\"password/of+the=operator";
const TOKEN: &str = "token-0123456789-of-the-service";

/// Checks a service object at the peer, with the declared operations.
async fn check(peer: &Peer, operations: Value) -> Told {
    let bench = Bench::start().await;
    let object = bench.object(|object| {
        object["spec"]["preset"] = json!("Custom");
        object["spec"]["baseURL"] = json!(peer.url());
        object["spec"]["credentials"] =
            json!({"user": {"name": "registry-admin", "key": "user"}, "password": {"name": "registry-admin", "key": "password"}});
        object["spec"]["operations"] = operations;
    });
    let secret = json!({"kind": "Secret", "metadata": {"name": "registry-admin"}, "stringData": {"user": USER, "password": PASSWORD}});
    let told = bench.run(bench.command(&[object, secret], &["--settle=0s"])).await;
    let mut canary = Canary::default();
    for (what, value) in [("the user", USER), ("the password", PASSWORD), ("the token", TOKEN)] {
        canary.add(what, value);
    }
    let found = canary.find("the output", &told.text);
    // In JSON the quote has a backslash before it.
    assert!(found.is_empty() && !told.text.contains("password/of"), "{found:?}\n{}", told.text);
    told
}

fn operations() -> Value {
    json!({
        "authentication": {"basic": {"username": "{{ credentials.user }}", "password": "{{ credentials.password }}"}},
        "generate": {
            "request": {"method": "POST", "path": "/{{ credentials.password }}/tokens",
                "json": r#"{"name": {{ name }}, "password": {{ credentials.password }}}"#},
            "response": {"value": "$.token", "id": "$.id"},
        },
        "verify": {
            "request": {"method": "GET", "path": "/me", "headers": {"Authorization": "Bearer {{ token }}"}},
            "accepted": {"statuses": [200]}, "refused": {"statuses": [401]},
        },
        "list": {
            "request": {"method": "GET", "path": "/tokens", "query": {"key": "{{ credentials.password }}"}},
            "items": "$.items[*]", "item": {"id": "$.id", "name": "$.name"},
        },
        "revoke": {"request": {"method": "DELETE", "path": "/tokens/{{ id }}"}},
    })
}

#[tokio::test]
async fn a_service_that_repeats_what_it_was_sent_shows_nothing_of_it() {
    let peer = Peer::start(|request| answer(422, "", &json!({"message": request, request: 1}).to_string())).await;
    let told = check(&peer, operations()).await;
    told.assert(
        1,
        &[
            &format!("  > POST {}/****/tokens\n", peer.url()),
            "  > Authorization: Basic base64(****:****)\n",
            "\"password\": \"****\"}\n",
            &format!("  > GET {}/tokens?key=****\n", peer.url()),
            "  < status 422 after",
            "generate: the service refuses the request",
        ],
    );
}

#[tokio::test]
async fn a_token_in_the_place_of_its_id_is_not_shown() {
    let name = Arc::new(Mutex::new(String::new()));
    let peer = Peer::start(move |request| {
        let mut name = name.lock().unwrap();
        if request.starts_with("POST") {
            let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
            *name = body["name"].as_str().unwrap().to_owned();
            return answer(201, "", &json!({"token": TOKEN, "id": TOKEN, TOKEN: [TOKEN]}).to_string());
        }
        if request.starts_with("GET /tokens") {
            let rows = if name.is_empty() { json!([]) } else { json!([{"id": TOKEN, "name": *name}]) };
            return answer(200, "", &json!({"items": rows}).to_string());
        }
        let accepted = request.contains(TOKEN);
        answer(if accepted { 200 } else { 401 }, "", &json!({"message": TOKEN}).to_string())
    })
    .await;
    let told = check(&peer, operations()).await;
    told.assert(
        1,
        &[
            "the id at spec.operations.generate.response.id is the token itself",
            "the id at spec.operations.list.item.id is the token itself",
            "id:    not known",
            "name:  test.",
            "a token may be left at the service",
        ],
    );
    let revokes = peer.requests().iter().filter(|request| request.starts_with("DELETE")).count();
    assert_eq!(revokes, 0, "a token is no id");
}

//! The life of tokens, and its records in the books.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::client::exchange;
use super::{ADMIN_KEY, Bench, options, states, text};
use crate::server::{Options, start};

/// A file in the system's directory for such files, removed at the end.
struct DataFile(PathBuf);

impl DataFile {
    fn new(name: &str) -> Self {
        let file = format!("reference-service-{}-{name}.redb", std::process::id());
        Self(std::env::temp_dir().join(file))
    }

    fn options(&self, no_fsync: bool) -> Options {
        Options { data: Some(self.0.clone()), no_fsync, ..options() }
    }
}

impl Drop for DataFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_token_is_accepted_from_its_birth_to_its_revocation() {
    let bench = Bench::start().await;
    let body = json!({"name": "ci", "lifetimeSeconds": 3600, "scopes": ["read"]}).to_string();
    let born = bench.call("POST", "/v1/tokens", ADMIN_KEY, &body).await;
    assert_eq!(born.status(), 201);
    let born = born.json();
    let (id, token) = (text(&born["id"]), text(&born["token"]));
    assert_eq!(id.len(), "tok_".len() + 16);
    assert_eq!(token.len(), "ref_".len() + 43);
    assert_eq!(born["scopes"], json!(["read"]));
    assert!(born["expirationTime"].is_string());

    let seen = bench.verify(&token).await;
    assert_eq!(seen.status(), 200);
    assert_eq!(seen.json(), json!({"id": id, "name": "ci", "scopes": ["read"]}));
    let path = format!("/v1/tokens/{id}");
    let row = bench.call("GET", &path, ADMIN_KEY, "").await.json();
    assert!(row["lastUsedTime"].is_string());
    assert!(row.get("token").is_none());

    assert_eq!(bench.revoke(&id).await.status(), 204);
    assert_eq!(bench.verify(&token).await.status(), 401);
    assert_eq!(bench.revoke(&id).await.status(), 404);
    let gone = bench.call("GET", &path, ADMIN_KEY, "").await;
    assert_eq!(gone.status(), 404);

    let books = bench.books().await;
    let record = &books["tokens"][0];
    assert_eq!(record["state"], "Revoked");
    assert!(record["revokedTime"].is_string());
    assert_eq!(record["acceptedCount"], 1);
    assert_eq!(record["refusedCount"], 1);
    assert_eq!(books["calls"], json!({"generate": 1, "verify": 2, "list": 2, "revoke": 2}));
    assert!(!books.to_string().contains(&token));
}

#[tokio::test]
async fn the_log_says_who_called_for_which_token_and_what_came_back() {
    let bench = Bench::start().await;
    let (id, token) = bench.issue("ci").await;
    bench.verify(&token).await;
    bench.verify("nonsense").await;
    exchange(bench.running.address, "GET", "/v1/whoami", None, "").await;
    bench.call("POST", "/v1/tokens", &token, "{}").await;
    let books = bench.books().await;
    let log = books["log"].as_array().unwrap().iter();
    let log: Vec<Value> = log
        .map(|entry| {
            assert!(entry["time"].is_string());
            json!([entry["operation"], entry["status"], entry["tokenId"], entry["credential"]])
        })
        .collect();
    assert_eq!(
        log,
        [
            json!(["generate", 201, id, "Admin"]),
            json!(["verify", 200, id, "Token"]),
            json!(["verify", 401, null, "Wrong"]),
            json!(["verify", 401, null, "None"]),
            json!(["generate", 401, null, "Token"]),
        ]
    );
    let reset = bench.control("POST", "/control/reset-calls", Value::Null);
    assert_eq!(reset.await.status(), 204);
    let books = bench.books().await;
    assert_eq!(books["log"], json!([]));
    assert_eq!(books["calls"]["generate"], 0);
}

#[tokio::test]
async fn a_name_belongs_to_one_live_token() {
    let bench = Bench::start().await;
    let (id, _) = bench.issue("ci").await;
    assert_eq!(bench.generate("ci").await.status(), 409);
    bench.revoke(&id).await;
    assert_eq!(bench.generate("ci").await.status(), 201);
}

#[tokio::test]
async fn requests_that_say_something_else_are_refused() {
    let bench = Bench::start().await;
    let long = json!({"name": "n".repeat(201)}).to_string();
    for body in [
        "",
        "{}",
        r#"{"name": ""}"#,
        &long,
        r#"{"name": "ci", "lifetime": 5}"#,
        r#"{"name": "ci", "lifetimeSeconds": 0}"#,
        r#"{"name": "ci", "lifetimeSeconds": "5"}"#,
        r#"{"name": "ci", "lifetimeSeconds": 9223372036854775807}"#,
    ] {
        let reply = bench.call("POST", "/v1/tokens", ADMIN_KEY, body).await;
        assert_eq!(reply.status(), 400, "{body}");
        assert!(reply.json()["message"].is_string(), "{body}");
    }
    assert_eq!(bench.states().await, states(&[]));
}

#[tokio::test]
async fn an_expired_token_is_refused_and_frees_its_name() {
    let bench = Bench::start().await;
    let body = r#"{"name": "short", "lifetimeSeconds": 1}"#;
    let born = bench.call("POST", "/v1/tokens", ADMIN_KEY, body).await;
    let token = text(&born.json()["token"]);
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    assert_eq!(bench.verify(&token).await.status(), 401);
    assert_eq!(bench.list("").await.json(), json!({"items": [], "nextPage": null, "next": null}));
    assert_eq!(bench.generate("short").await.status(), 201);
    let expected = states(&[("short", "Expired"), ("short", "Live")]);
    assert_eq!(bench.states().await, expected);
}

#[tokio::test]
async fn two_addresses_say_yes_to_everybody() {
    let bench = Bench::start().await;
    let (id, token) = bench.issue("ci").await;
    let active = async |token: &str| {
        let reply = bench.call("GET", "/v1/introspect", token, "").await;
        assert_eq!(reply.status(), 200);
        reply.json()["active"].clone()
    };
    assert_eq!(active(&token).await, true);
    bench.revoke(&id).await;
    assert_eq!(active(&token).await, false);
    assert_eq!(active(ADMIN_KEY).await, false);
    let open = bench.call("GET", "/v1/open", "nonsense", "").await;
    assert_eq!(open.status(), 200);
}

#[tokio::test]
async fn the_books_survive_a_restart() {
    for no_fsync in [false, true] {
        let file = DataFile::new(&format!("restart-{no_fsync}"));
        let bench = Bench::start_with(file.options(no_fsync)).await;
        let (lost, lost_token) = bench.issue("lost").await;
        let (_, kept_token) = bench.issue("kept").await;
        bench.verify(&kept_token).await;
        bench.revoke(&lost).await;
        let before = bench.books().await["tokens"].clone();
        bench.running.stop().await.unwrap();

        let bench = Bench::start_with(file.options(no_fsync)).await;
        assert_eq!(bench.books().await["tokens"], before);
        assert_eq!(bench.verify(&kept_token).await.status(), 200);
        assert_eq!(bench.verify(&lost_token).await.status(), 401);
        assert_eq!(bench.generate("kept").await.status(), 409);
        bench.running.stop().await.unwrap();

        let bytes = std::fs::read(&file.0).unwrap();
        for secret in [kept_token.as_str(), lost_token.as_str(), ADMIN_KEY] {
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "a value stands in the file");
        }
    }
}

#[tokio::test]
async fn a_file_belongs_to_one_process() {
    for no_fsync in [false, true] {
        let file = DataFile::new(&format!("lock-{no_fsync}"));
        let bench = Bench::start_with(file.options(no_fsync)).await;
        assert!(start(&file.options(no_fsync)).await.is_err());
        bench.running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_replaced_admin_key_is_in_force_until_another_is_given() {
    let file = DataFile::new("key");
    let bench = Bench::start_with(file.options(true)).await;
    let body = json!({"key": "second"});
    let reply = bench.control("PUT", "/control/admin-key", body).await;
    assert_eq!(reply.status(), 204);
    assert_eq!(bench.list("").await.status(), 401);
    let second = async |bench: &Bench| bench.call("GET", "/v1/tokens", "second", "").await.status();
    assert_eq!(second(&bench).await, 200);
    bench.running.stop().await.unwrap();

    let bench = Bench::start_with(file.options(true)).await;
    assert_eq!(bench.list("").await.status(), 401);
    assert_eq!(second(&bench).await, 200);
    bench.running.stop().await.unwrap();

    let options = Options { admin_key: "third".to_owned(), ..file.options(true) };
    let bench = Bench::start_with(options).await;
    assert_eq!(second(&bench).await, 401);
    let third = bench.call("GET", "/v1/tokens", "third", "").await;
    assert_eq!(third.status(), 200);
}

#[tokio::test]
async fn the_control_address_must_be_loopback() {
    let options = Options { control_listen: "0.0.0.0:0".parse().unwrap(), ..options() };
    let error = start(&options).await.err().unwrap().to_string();
    assert!(error.contains("loopback"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_calls_for_one_name_issue_one_token() {
    let bench = std::sync::Arc::new(Bench::start().await);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let bench = std::sync::Arc::clone(&bench);
        calls.spawn(async move { bench.generate("ci").await.status() });
    }
    let mut statuses = calls.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201);
    assert!(statuses[1..].iter().all(|status| *status == 409));
    assert_eq!(bench.states().await, states(&[("ci", "Live")]));
}

#[tokio::test]
async fn the_id_of_a_token_that_is_gone_is_given_again() {
    let bench = Bench::start_set(json!({"reuseIds": true})).await;
    let (first, value) = bench.issue("one").await;
    let (second, _) = bench.issue("two").await;
    assert_ne!(first, second);
    bench.revoke(&second).await;
    let (third, fresh) = bench.issue("three").await;
    assert_eq!(third, second);
    assert_eq!(bench.verify(&fresh).await.status(), 200);
    assert_eq!(bench.revoke(&third).await.status(), 204, "the id is that of the living token");
    assert_eq!(bench.verify(&fresh).await.status(), 401);
    assert_eq!(bench.verify(&value).await.status(), 200);
}

#[tokio::test]
async fn each_admin_key_lists_and_revokes_its_own_tokens() {
    let bench = Bench::start_set(json!({"accounts": true})).await;
    let (id, value) = bench.issue("one").await;
    bench.control("PUT", "/control/admin-key", json!({"key": "other"})).await;
    let list = bench.call("GET", "/v1/tokens", "other", "").await.json();
    assert_eq!(list["items"], json!([]));
    assert_eq!(bench.call("DELETE", &format!("/v1/tokens/{id}"), "other", "").await.status(), 404);
    assert_eq!(bench.verify(&value).await.status(), 200);
    bench.control("PUT", "/control/admin-key", json!({"key": ADMIN_KEY})).await;
    assert_eq!(bench.revoke(&id).await.status(), 204);
}

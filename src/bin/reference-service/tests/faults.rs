//! Each kind of fault, seen from a client and from the books.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::send;
use super::{ADMIN_KEY, Bench, states, text};

/// Waits until the books satisfy `holds`. For effects that come after the answer.
async fn until(bench: &Bench, holds: impl Fn(&Value) -> bool) -> Value {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        let books = bench.books().await;
        if holds(&books) {
            return books;
        }
        assert!(Instant::now() < limit, "still not so: {books}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Makes one faulty generate call. Returns its reply, the tokens that live afterwards, and the logged status.
async fn one_generate(faults: Value) -> (super::Reply, Vec<(String, String)>, Value) {
    let bench = Bench::start_faulty(faults).await;
    let reply = bench.generate("ci").await;
    let status = bench.books().await["log"][0]["status"].clone();
    (reply, bench.states().await, status)
}

#[tokio::test]
async fn latency_delays_the_answer() {
    let began = Instant::now();
    let faults = json!([{"operation": "any", "kind": "Latency", "milliseconds": 150}]);
    let (reply, alive, _) = one_generate(faults).await;
    assert!(began.elapsed() >= Duration::from_millis(150));
    assert_eq!(reply.status(), 201);
    assert_eq!(alive, states(&[("ci", "Live")]));
}

#[tokio::test]
async fn a_status_before_the_effect_leaves_nothing() {
    let faults = json!([{
        "operation": "generate", "kind": "Status", "status": 429, "retryAfter": "7"
    }]);
    let (reply, alive, logged) = one_generate(faults).await;
    assert_eq!(reply.status(), 429);
    assert_eq!(reply.header("retry-after").as_deref(), Some("7"));
    assert_eq!(alive, states(&[]));
    assert_eq!(logged, 429);
}

#[tokio::test]
async fn a_status_after_the_effect_leaves_a_token() {
    let faults = json!([{
        "operation": "generate", "kind": "Status", "status": 500, "when": "After"
    }]);
    let (reply, alive, logged) = one_generate(faults).await;
    assert_eq!(reply.status(), 500);
    assert_eq!(alive, states(&[("ci", "Live")]));
    assert_eq!(logged, 500);
}

#[tokio::test]
async fn a_cut_body_ends_half_way_under_the_right_head() {
    let faults = json!([{"operation": "generate", "kind": "CutBody"}]);
    let (reply, alive, logged) = one_generate(faults).await;
    assert_eq!(reply.status(), 201);
    let promised: usize = reply.header("content-length").unwrap().parse().unwrap();
    assert_eq!(reply.body().len(), promised / 2);
    assert!(reply.text().starts_with("{\"id\":\"tok_"));
    assert_eq!(alive, states(&[("ci", "Live")]));
    assert_eq!(logged, 0);
}

#[tokio::test]
async fn an_answer_without_a_body_is_cut_whole() {
    let bench = Bench::start_faulty(json!([{"operation": "revoke", "kind": "CutBody"}])).await;
    let (id, _) = bench.issue("ci").await;
    assert!(bench.revoke(&id).await.lost());
    assert_eq!(bench.states().await, states(&[("ci", "Revoked")]));
    assert_eq!(bench.books().await["log"][1]["status"], 0);
}

#[tokio::test]
async fn a_garbage_body_is_a_page_or_the_given_text() {
    let faults = json!([{"operation": "generate", "kind": "GarbageBody"}]);
    let (reply, alive, _) = one_generate(faults).await;
    assert_eq!(reply.status(), 201);
    assert!(reply.text().starts_with("<!doctype html>"));
    assert_eq!(alive, states(&[("ci", "Live")]));

    let faults = json!([{"operation": "generate", "kind": "GarbageBody", "body": "{\"id\":1}"}]);
    let (reply, alive, _) = one_generate(faults).await;
    assert_eq!(reply.json(), json!({"id": 1}));
    assert_eq!(alive, states(&[("ci", "Live")]));
}

#[tokio::test]
async fn a_huge_body_is_as_long_as_asked() {
    let bytes = 3_000_001;
    let faults = json!([{"operation": "generate", "kind": "HugeBody", "bytes": bytes}]);
    let (reply, alive, _) = one_generate(faults).await;
    assert_eq!(reply.status(), 201);
    assert_eq!(reply.header("content-length"), None);
    let sent = reply.body().iter().filter(|byte| **byte == b'a').count();
    // Sizes of chunks are written in hexadecimal, which has an `a` as well.
    assert!((bytes..bytes + 500).contains(&sent), "{sent}");
    assert_eq!(alive, states(&[("ci", "Live")]));
}

#[tokio::test]
async fn a_lost_answer_hides_what_happened() {
    let faults = json!([{"operation": "generate", "kind": "LoseAnswer"}]);
    let (reply, alive, logged) = one_generate(faults).await;
    assert!(reply.lost());
    assert_eq!(alive, states(&[("ci", "Live")]));
    assert_eq!(logged, 0);
}

#[tokio::test]
async fn a_late_landing_takes_effect_after_the_connection_has_ended() {
    let late = |milliseconds: u64| json!([{"operation": "generate", "kind": "LandLate", "milliseconds": milliseconds}]);
    let (reply, alive, logged) = one_generate(late(3_600_000)).await;
    assert!(reply.lost());
    assert_eq!(alive, states(&[]));
    assert_eq!(logged, 0);

    let bench = Bench::start_faulty(late(20)).await;
    assert!(bench.generate("ci").await.lost());
    let landed = |books: &Value| books["log"][0]["tokenId"].is_string();
    let books = until(&bench, landed).await;
    assert_eq!(books["tokens"][0]["state"], "Live");
    assert_eq!(books["log"][0]["tokenId"], books["tokens"][0]["id"]);
    assert_eq!(books["log"][0]["status"], 0);
}

#[tokio::test]
async fn a_redirect_has_no_effect() {
    let location = "http://127.0.0.1:9/elsewhere";
    let faults = json!([{"operation": "generate", "kind": "Redirect", "location": location}]);
    let (reply, alive, _) = one_generate(faults).await;
    assert_eq!(reply.status(), 302);
    assert_eq!(reply.header("location").as_deref(), Some(location));
    assert_eq!(alive, states(&[]));
}

#[tokio::test]
async fn a_fault_skips_then_counts_and_hits_its_operation_only() {
    let faults = json!([{
        "operation": "verify", "kind": "Status", "status": 503, "skip": 1, "count": 2
    }]);
    let bench = Bench::start_faulty(faults).await;
    let (_, token) = bench.issue("ci").await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(bench.verify(&token).await.status());
    }
    assert_eq!(statuses, [200, 503, 503, 200]);
}

#[tokio::test]
async fn faults_combine_in_order_until_cleared() {
    let faults = json!([
        {"operation": "any", "kind": "Latency", "milliseconds": 50},
        {"operation": "list", "kind": "Status", "status": 503},
        {"operation": "list", "kind": "CutBody"},
    ]);
    let bench = Bench::start_faulty(faults).await;
    let began = Instant::now();
    let reply = bench.list("").await;
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert_eq!(reply.status(), 503);
    assert!(serde_json::from_slice::<Value>(reply.body()).is_err());
    let cleared = bench.control("DELETE", "/control/faults", Value::Null);
    assert_eq!(cleared.await.status(), 204);
    assert_eq!(bench.list("").await.status(), 200);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_take_the_effect_back() {
    let faults = json!([{"operation": "any", "kind": "Latency", "milliseconds": 1_000}]);
    let bench = Bench::start_faulty(faults).await;
    let address = bench.running.address;
    let body = r#"{"name": "ci"}"#;
    let connection = send(address, "POST", "/v1/tokens", Some(ADMIN_KEY), body).await;
    until(&bench, |books| books["calls"]["generate"] == 1).await;
    drop(connection);
    let answered = |books: &Value| books["log"][0]["status"] == 0;
    let books = until(&bench, answered).await;
    assert_eq!(books["tokens"][0]["state"], "Live");
    assert_eq!(text(&books["log"][0]["tokenId"]), text(&books["tokens"][0]["id"]));
}

#[tokio::test]
async fn a_misspelt_fault_is_refused_and_replaces_nothing() {
    let faults = json!([{"operation": "list", "kind": "Status", "status": 503}]);
    let bench = Bench::start_faulty(faults).await;
    for fault in [
        json!({"operation": "list", "kind": "Nonsense"}),
        json!({"operation": "delete", "kind": "CutBody"}),
        json!({"operation": "list", "kind": "Status", "status": 100}),
        json!({"operation": "list", "kind": "Status", "status": 429, "retry_after": "1"}),
        json!({"operation": "list", "kind": "CutBody", "counts": 1}),
    ] {
        let reply = bench.control("PUT", "/control/faults", json!([fault])).await;
        assert_eq!(reply.status(), 400, "{fault}");
    }
    assert_eq!(bench.list("").await.status(), 503);
}

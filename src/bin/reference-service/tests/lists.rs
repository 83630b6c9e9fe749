//! Pages, and the permanent quirks of the service.

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};

use super::{Bench, names, states, text};
use crate::settings::Settings;
use crate::token::{End, System, Token, TokenRequest};

/// Longer than any test takes, so that a lag of this length never ends by itself.
const LONG_MILLISECONDS: u64 = 3_600_000;

/// Follows a list to its end; `next` finds the next page in an answer. Returns the names of every page.
async fn pages(bench: &Bench, first: &str, next: impl Fn(&super::Reply) -> Option<String>) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut query = Some(first.to_owned());
    while let Some(at) = query {
        assert!(pages.len() < 10, "the list does not end");
        let reply = bench.list(&at).await;
        assert_eq!(reply.status(), 200);
        pages.push(names(&reply));
        query = next(&reply);
    }
    pages
}

#[tokio::test]
async fn a_list_can_be_followed_by_number_reference_and_header() {
    let bench = Bench::start().await;
    for number in 1..=5 {
        bench.issue(&format!("t{number}")).await;
    }
    let expected = [vec!["t1", "t2"], vec!["t3", "t4"], vec!["t5"]];

    let by_number = pages(&bench, "?limit=2", |reply| {
        let page = reply.json()["nextPage"].as_u64()?;
        Some(format!("?limit=2&page={page}"))
    });
    assert_eq!(by_number.await, expected);

    let by_reference = pages(&bench, "?limit=2", |reply| {
        let next = reply.json()["next"].as_str()?.to_owned();
        Some(next.strip_prefix("/v1/tokens").unwrap().to_owned())
    });
    assert_eq!(by_reference.await, expected);

    let prefix = format!("<http://{}/v1/tokens", bench.running.address);
    let by_header = pages(&bench, "?limit=2", |reply| {
        let link = reply.header("link")?;
        let query = link.strip_prefix(&prefix).unwrap();
        Some(query.strip_suffix(">; rel=\"next\"").unwrap().to_owned())
    });
    assert_eq!(by_header.await, expected);
}

#[tokio::test]
async fn a_list_has_an_end_a_filter_and_limits() {
    let bench = Bench::start().await;
    for number in 0..101 {
        bench.issue(&format!("token {number}")).await;
    }
    let past = bench.list("?page=9").await.json();
    assert_eq!(past, json!({"items": [], "nextPage": null, "next": null}));
    assert_eq!(names(&bench.list("?name=token%207").await), ["token 7"]);
    assert_eq!(names(&bench.list("?name=token").await), [""; 0]);
    assert_eq!(names(&bench.list("").await).len(), 50);
    assert_eq!(names(&bench.list("?limit=1000").await).len(), 100);
    for query in ["?page=0", "?limit=0", "?page=x", "?pages=1"] {
        let reply = bench.list(query).await;
        assert_eq!(reply.status(), 400, "{query}");
        assert!(reply.json()["message"].is_string());
    }
}

#[tokio::test]
async fn a_lagging_list_misses_what_is_new_and_a_single_row_does_not() {
    let bench = Bench::start_set(json!({"listLagMilliseconds": LONG_MILLISECONDS})).await;
    let (id, _) = bench.issue("new").await;
    assert_eq!(names(&bench.list("").await), [""; 0]);
    let path = format!("/v1/tokens/{id}");
    let row = bench.call("GET", &path, super::ADMIN_KEY, "").await;
    assert_eq!(row.status(), 200);
    bench.set(json!({})).await;
    assert_eq!(names(&bench.list("").await), ["new"]);
}

/// Whether a list that lags by 10 s shows, at second 100, a token of these times.
fn check_lag(created: i64, expires: Option<i64>, ended: Option<i64>, expected: bool) {
    let second = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    let settings = Settings { list_lag_milliseconds: 10_000, ..Settings::default() };
    let request = TokenRequest {
        system: System::Reference,
        name: "ci".to_owned(),
        lifetime: expires.map(|time| TimeDelta::seconds(time - created)),
        scopes: Vec::new(),
        created_by: String::new(),
    };
    for end in [End::Revoked, End::Dropped] {
        let (mut token, _) = Token::issue(&request, &settings, second(created)).unwrap();
        token.ended = ended.map(|time| end(second(time)));
        let listed = token.listed(&settings, second(100));
        assert_eq!(listed, expected, "{created} {expires:?} {ended:?}");
    }
}

#[test]
fn a_lagging_list_shows_the_world_of_a_while_ago() {
    check_lag(90, None, None, true);
    check_lag(91, None, None, false);
    check_lag(50, None, Some(90), false);
    check_lag(50, None, Some(91), true);
    check_lag(50, Some(90), None, false);
    check_lag(50, Some(91), None, true);
}

#[tokio::test]
async fn the_oldest_tokens_are_dropped_in_silence() {
    let bench = Bench::start_set(json!({"dropOldestAbove": 2})).await;
    let (first, first_token) = bench.issue("first").await;
    bench.issue("second").await;
    bench.issue("third").await;
    let expected = states(&[("first", "Dropped"), ("second", "Live"), ("third", "Live")]);
    assert_eq!(bench.states().await, expected);
    assert_eq!(names(&bench.list("").await), ["second", "third"]);
    assert_eq!(bench.verify(&first_token).await.status(), 401);
    assert_eq!(bench.revoke(&first).await.status(), 404);
}

#[tokio::test]
async fn a_token_limit_is_reported_and_counts_live_tokens() {
    let bench = Bench::start_set(json!({"tokenLimit": 1})).await;
    let (id, _) = bench.issue("first").await;
    let refused = bench.generate("second").await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.json(), json!({"message": "token limit of 1 reached"}));
    bench.revoke(&id).await;
    assert_eq!(bench.generate("second").await.status(), 201);
}

#[tokio::test]
async fn a_fresh_token_settles_before_it_is_accepted() {
    let bench = Bench::start_set(json!({"settleMilliseconds": LONG_MILLISECONDS})).await;
    let (_, token) = bench.issue("ci").await;
    assert_eq!(bench.verify(&token).await.status(), 401);
    bench.set(json!({})).await;
    assert_eq!(bench.verify(&token).await.status(), 200);
}

#[tokio::test]
async fn a_revoked_token_may_linger() {
    let bench = Bench::start_set(json!({"revokeLagMilliseconds": LONG_MILLISECONDS})).await;
    let (id, token) = bench.issue("ci").await;
    assert_eq!(bench.revoke(&id).await.status(), 204);
    assert_eq!(bench.verify(&token).await.status(), 200);
    bench.set(json!({})).await;
    assert_eq!(bench.verify(&token).await.status(), 401);
}

#[tokio::test]
async fn revoking_may_always_seem_to_succeed() {
    let bench = Bench::start_set(json!({"revokeAlwaysSucceeds": true})).await;
    assert_eq!(bench.revoke("tok_unknown").await.status(), 204);
}

#[tokio::test]
async fn a_lifetime_may_be_ignored() {
    let bench = Bench::start_set(json!({"ignoreLifetime": true})).await;
    let body = r#"{"name": "ci", "lifetimeSeconds": 1}"#;
    let born = bench.call("POST", "/v1/tokens", super::ADMIN_KEY, body);
    assert_eq!(born.await.json()["expirationTime"], Value::Null);
}

#[tokio::test]
async fn settings_are_replaced_as_a_whole_and_misspelt_ones_refused() {
    let bench = Bench::start_set(json!({"tokenLimit": 3, "settleMilliseconds": 5})).await;
    bench.set(json!({"tokenLimit": 4})).await;
    let shown = bench.control("GET", "/control/settings", Value::Null).await;
    assert_eq!(shown.json()["tokenLimit"], 4);
    assert_eq!(shown.json()["settleMilliseconds"], 0);
    let misspelt = json!({"tokenlimit": 4});
    let reply = bench.control("PUT", "/control/settings", misspelt).await;
    assert_eq!(reply.status(), 400);
}

#[tokio::test]
async fn a_person_revokes_without_a_trace_in_the_log() {
    let bench = Bench::start().await;
    let (id, token) = bench.issue("ci").await;
    let path = format!("/control/tokens/{id}/revoke");
    let reply = bench.control("POST", &path, Value::Null).await;
    assert_eq!(reply.status(), 204);
    assert_eq!(bench.verify(&token).await.status(), 401);
    let books = bench.books().await;
    assert_eq!(books["calls"]["revoke"], 0);
    let operations = books["log"].as_array().unwrap().iter();
    let operations: Vec<String> = operations.map(|entry| text(&entry["operation"])).collect();
    assert_eq!(operations, ["generate", "verify"]);
    let again = bench.control("POST", &path, Value::Null).await;
    assert_eq!(again.status(), 404);
}

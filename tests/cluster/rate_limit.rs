//! A service that may be asked only a few times a minute: everything takes longer, and still comes to its end.

use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use serde_json::json;
use testbed::poll;

use support::{DEADLINE, World, attempt};

/// A world whose service has these limits.
async fn limited(prefix: &str, limits: serde_json::Value) -> World {
    let world = World::quick(prefix).await;
    world.serve(|spec| spec["limits"] = limits).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_issued_where_live_tokens_are_counted_first() {
    let world = limited("counted", json!({"requestsPerMinute": 15, "maximumLiveTokens": 50})).await;
    let _operator = world.operator().await;
    world.create("ci", |_| {}).await;
    world.until_ready("ci").await;
    assert_eq!(world.count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_revoke_of_a_token_that_is_gone_is_proved_although_the_proof_needs_more_calls() {
    let world = limited("gone", json!({"requestsPerMinute": 11})).await;
    let _operator = world.operator().await;
    world.create("ci", |_| {}).await;
    world.until_ready("ci").await;
    world.revoke_by_person(&world.current_id("ci").await).await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(world.secret("ci-secret").await.is_none());
}

/// Only the list confirms the refusals of a single token. Where its call and the question after it do not fit into one turn at the service,
/// a pass that read the list and ended would read it again in the next one, for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_is_replaced_although_its_verification_uses_up_the_limit() {
    let world = World::quick("confirmed").await;
    let _operator = world.operator().await;
    world.create("ci", |spec| spec["verification"] = json!({"interval": "1s"})).await;
    world.until_ready("ci").await;
    world.revoke_by_person(&world.current_id("ci").await).await;
    // Three calls at once, and then one each 4.6 s.
    world.serve(|spec| spec["limits"] = json!({"requestsPerMinute": 15})).await;
    let replaced = || async {
        let token = world.token("ci").await;
        if attempt(&token) == 2 { Ok(()) } else { Err(format!("{:#?}", token.status)) }
    };
    poll("the dead token is replaced", 2 * DEADLINE, replaced).await.unwrap();
}

/// The check of a changed service object needs calls, too. What the change forbids cannot wait for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_suspended_while_it_asks_to_wait_generates_nothing() {
    let world = World::quick("waits").await;
    let wait = json!([{"operation": "generate", "kind": "Status", "status": 429, "retryAfter": "600", "count": 1}]);
    world.faults(wait).await;
    let _operator = world.operator().await;
    world.create("first", |_| {}).await;
    let asked = || async {
        let calls = world.service.books().await.map_err(|error| error.to_string())?.calls;
        if calls.generate == 1 { Ok(()) } else { Err(format!("{calls:?}")) }
    };
    poll("the service asked to wait", DEADLINE, asked).await.unwrap();
    // The limits stay as they are: the wait that the service asked for holds.
    world.serve(|spec| spec["suspend"] = json!(true)).await;
    world.create("second", |_| {}).await;
    let ready = world.until_reason("second", ConditionType::Ready, Reason::Suspended).await;
    assert!(ready.message.contains("suspend"), "{}", ready.message);
    assert_eq!(world.count().await, 0);
}

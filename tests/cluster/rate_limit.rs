//! A service that may be asked only a few times a minute: everything takes longer, and still comes to its end.

use serde_json::json;

use support::World;

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

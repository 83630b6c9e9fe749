//! Edits of the spec between a claim and its *generate*: the newest spec holds, and what it forbids is not made.

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use serde_json::{Value, json};
use testbed::poll;

use support::acts::ledger;
use support::{DEADLINE, World};

/// A world in which the claim of `ci` waits for some seconds, because the service asked to.
async fn claimed(prefix: &str, change: impl FnOnce(&mut Value)) -> (World, testbed::Operator) {
    let world = World::quick(prefix).await;
    world
        .serve(|spec| {
            spec["constraints"] = json!({"minimumInterval": "10s", "parameters": {"scopes": ["read", "write"]}});
            // The claim must outlive the wait.
            spec["operations"]["generate"]["timeout"] = json!("10s");
        })
        .await;
    let wait = json!([{"operation": "generate", "kind": "Status", "status": 429, "retryAfter": "6", "count": 1}]);
    world.faults(wait).await;
    let operator = world.operator().await;
    world.create("ci", change).await;
    let asked = || async {
        let calls = world.service.books().await.map_err(|error| error.to_string())?.calls;
        if calls.generate == 1 { Ok(()) } else { Err(format!("{calls:?}")) }
    };
    poll("the service asked to wait", DEADLINE, asked).await.unwrap();
    (world, operator)
}

/// The claim waits until its deadline, which is later than the end of the wait that the service asked for.
async fn given_up(world: &World) {
    let decided = |token: &ArtifactToken| ledger(token).claim.is_some_and(|claim| claim.outcome.is_some());
    world.until("ci", "the claim is given up", decided).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_are_forbidden_since_the_claim_are_not_asked_for() {
    let (world, _operator) = claimed("edited", |spec| spec["parameters"] = json!({"scopes": ["read"]})).await;
    world.patch("ci", json!({"spec": {"parameters": {"scopes": ["admin"]}}})).await;
    world.until_reason("ci", ConditionType::Stalled, Reason::ParameterNotAllowed).await;
    given_up(&world).await;
    assert!(world.made().await.is_empty(), "{:#?}", world.made().await);
    world.patch("ci", json!({"spec": {"parameters": {"scopes": ["write"]}}})).await;
    world.until_ready("ci").await;
    let made = world.made().await;
    assert!(made.iter().all(|row| row.scopes == ["write"]), "{made:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_suspended_since_the_claim_gets_no_token() {
    let (world, _operator) = claimed("held", |_| {}).await;
    world.patch("ci", json!({"spec": {"suspend": true}})).await;
    given_up(&world).await;
    assert!(world.made().await.is_empty(), "{:#?}", world.made().await);
    world.patch("ci", json!({"spec": {"suspend": false}})).await;
    world.until_ready("ci").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_published_without_asking_is_verified_once_the_spec_asks_for_that() {
    let world = World::quick("probed").await;
    let _operator = world.operator().await;
    world.create("ci", |spec| spec["verification"] = json!({"probe": "Disabled"})).await;
    world.until_reason("ci", ConditionType::Ready, Reason::TokenUnverified).await;
    world.patch("ci", json!({"spec": {"verification": {"probe": "Required"}}})).await;
    world.until_reason("ci", ConditionType::Ready, Reason::TokenValid).await;
    assert_eq!(world.count().await, 1);
}

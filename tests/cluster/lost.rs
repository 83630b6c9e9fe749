//! The service's answer to *generate* is lost. Nobody knows whether a token lives, until the operator finds it by its name.

use artifact_token_operator::api::artifact_token::ROTATE_REQUESTED_AT;
use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use serde_json::{Value, json};

use crate::ready;
use support::acts::ledger;
use support::{World, token_yaml};

/// `fault` strikes the first *generate* after it took effect. The object comes to rest with one token, and the lost token was found
/// and revoked.
async fn check(prefix: &str, fault: Value) {
    let world = World::quick(prefix).await;
    world.faults(json!([fault])).await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    let ready = world.until_reason("ci", ConditionType::Ready, Reason::TokenGenerationFailed).await;
    assert_eq!(ready.status, ConditionStatus::False);
    assert!(ready.message.contains("may live unseen"), "{}", ready.message);
    world.until_ready("ci").await;
    let token = world.agrees("ci", "ci-secret").await;
    assert_eq!(world.count().await, 2);
    assert!(ledger(&token).lost.is_empty(), "it was found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_answer_never_came_is_found_and_revoked() {
    check("lose", json!({"operation": "generate", "kind": "LoseAnswer", "count": 1})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_answer_was_cut_is_found_and_revoked() {
    check("cut", json!({"operation": "generate", "kind": "CutBody", "count": 1})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_answer_was_garbage_is_found_and_revoked() {
    check("garbage", json!({"operation": "generate", "kind": "GarbageBody", "count": 1})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_made_in_spite_of_an_answer_500_is_found_and_revoked() {
    check("status", json!({"operation": "generate", "kind": "Status", "status": 500, "when": "After", "count": 1}))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_made_after_the_time_out_is_found_and_revoked() {
    check(
        "latency",
        json!({"operation": "generate", "kind": "Latency", "milliseconds": 3000, "when": "After", "count": 1}),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_rotation_the_old_token_stays_until_one_is_there_whose_answer_came() {
    let (world, _operator, first) = ready("late").await;
    world.faults(json!([{"operation": "generate", "kind": "LandLate", "milliseconds": 1500, "count": 1}])).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_event("ci", "TokenGenerationFailed").await;
    assert_eq!(world.value("ci-secret", "token").await, first);
    world.until_ready("ci").await;
    assert!(world.accepts(&first).await);
    world.until_attempt("ci", 3).await;
    world.agrees("ci", "ci-secret").await;
    assert_eq!(world.count().await, 3);
    assert!(ledger(&world.token("ci").await).lost.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_deleted_after_a_lost_answer_leaves_no_token_behind() {
    let (world, _operator, _) = ready("leave").await;
    world.faults(json!([{"operation": "generate", "kind": "LandLate", "milliseconds": 1500, "count": 1}])).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_event("ci", "TokenGenerationFailed").await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert_eq!(world.count().await, 2, "the late one landed while the object waited for it");
    assert!(world.service.live().await.unwrap().is_empty());
    assert!(world.secret("ci-secret").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_the_service_asks_for_is_kept_and_the_claim_with_it() {
    let (world, _operator, first) = ready("throttled").await;
    world
        .faults(json!([{"operation": "generate", "kind": "Status", "status": 429, "retryAfter": "2", "count": 1}]))
        .await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 2).await;
    world.agrees("ci", "ci-secret").await;
    assert!(!world.accepts(&first).await);
    let log = world.service.books().await.unwrap().log;
    let asked = log.iter().position(|call| call.status == 429).expect("it was asked to wait");
    let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap();
    let next = log[asked + 1..].iter().find(|call| call.operation == "generate").expect("it was tried again");
    let pause = (time(&next.time) - time(&log[asked].time)).num_milliseconds();
    assert!(pause >= 1990, "tried again after {pause} ms of 2000");
    assert_eq!(world.count().await, 2);
}

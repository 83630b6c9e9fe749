//! The service refuses a new token, a revoke fails, the list lags.

use artifact_token_operator::api::artifact_token::ROTATE_REQUESTED_AT;
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use serde_json::json;
use testbed::reference_service::State;

use crate::ready;
use support::acts::ledger;
use support::{World, attempt, condition, is_ready, token_yaml};

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_token_that_is_unknown_for_a_moment_is_only_a_delay() {
    let world = World::quick("settle").await;
    world.settings(json!({"settleMilliseconds": 600})).await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    world.agrees("ci", "ci-secret").await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until("ci", "a replacement is current", |token| attempt(token) > 1).await;
    world.agrees("ci", "ci-secret").await;
    assert_eq!(world.count().await, 2, "no attempt was given up while its token settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_is_refused_is_never_published_and_the_old_token_is_kept() {
    let (world, _operator, first) = ready("refused").await;
    world.faults(json!([{"operation": "verify", "kind": "Status", "status": 401}])).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    let failed = world.until_reason("ci", ConditionType::RotationFailed, Reason::VerificationFailed).await;
    assert!(failed.message.contains("the previous token stays in use"), "{}", failed.message);
    assert!(is_ready(&world.token("ci").await));
    assert_eq!(world.until_event("ci", "TokenVerificationFailed").await.0, "Warning");
    assert_eq!(world.value("ci-secret", "token").await, first, "the refused token never stood in the Secret");
    world.service.clear_faults().await.unwrap();
    assert!(world.accepts(&first).await);
    // The next attempt succeeds, and every refused token dies.
    world.until("ci", "a replacement is current", |token| attempt(token) > 1).await;
    let token = world.agrees("ci", "ci-secret").await;
    assert_eq!(condition(&token, ConditionType::RotationFailed), None);
    assert!(!world.accepts(&first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_token_that_is_refused_is_revoked_and_made_anew() {
    let world = World::quick("first").await;
    world.settings(json!({"settleMilliseconds": 3_600_000})).await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    world.until_reason("ci", ConditionType::Ready, Reason::VerificationFailed).await;
    world.until_event("ci", "TokenVerificationFailed").await;
    world.settings(json!({})).await;
    world.until_ready("ci").await;
    world.agrees("ci", "ci-secret").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoke_that_fails_is_shown_and_tried_until_the_token_is_dead() {
    let (world, _operator, first) = ready("revoke").await;
    // The list fails, too, so that it cannot prove anything.
    let down = |operation: &str| json!({"operation": operation, "kind": "Status", "status": 500});
    world.faults(json!([down("revoke"), down("list")])).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_reason("ci", ConditionType::RevocationPending, Reason::OverlapActive).await;
    let failing = world.until_reason("ci", ConditionType::RevocationPending, Reason::RevocationFailed).await;
    assert!(failing.message.contains("tries to revoke it failed"), "{}", failing.message);
    assert_eq!(world.until_event("ci", "TokenRevocationFailed").await.0, "Warning");
    assert!(is_ready(&world.token("ci").await));
    assert!(world.accepts(&first).await);
    assert_eq!(ledger(&world.token("ci").await).superseded.len(), 1);
    // A rotation that is due does not wait for the revoke.
    world.annotate("ci", ROTATE_REQUESTED_AT, "2").await;
    world.until_attempt("ci", 3).await;
    world.service.clear_faults().await.unwrap();
    let token = world.agrees("ci", "ci-secret").await;
    assert_eq!(condition(&token, ConditionType::RevocationPending), None);
    assert!(!world.accepts(&first).await);
}

/// The service answers two revokes with this status and does nothing. The token stays in the ledger until it is dead.
async fn lies(prefix: &str, status: u16) {
    let (world, _operator, first) = ready(prefix).await;
    let id = world.current_id("ci").await;
    world.faults(json!([{"operation": "revoke", "kind": "Status", "status": status, "count": 2}])).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_reason("ci", ConditionType::RevocationPending, Reason::RevocationFailed).await;
    assert!(world.accepts(&first).await);
    let token = world.token("ci").await;
    assert!(ledger(&token).superseded.iter().any(|old| old.id.as_str() == id), "it stays in the ledger while it lives");
    world.agrees("ci", "ci-secret").await;
    assert!(world.is_dead(&id).await);
    assert!(!world.accepts(&first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_of_revoke_is_not_believed_while_the_token_is_accepted() {
    lies("liar", 204).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_token_at_revoke_is_not_believed_while_the_token_is_accepted() {
    lies("gone", 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_a_person_revoked_in_its_overlap_is_settled() {
    let (world, _operator, _) = ready("overlap").await;
    let id = world.current_id("ci").await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 2).await;
    world.revoke_by_person(&id).await;
    let token = world.agrees("ci", "ci-secret").await;
    assert_eq!(ledger(&token).history[0].id.as_str(), id);
    assert_eq!(world.count().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_and_revokes_that_lag_are_only_delays() {
    let world = World::quick("lag").await;
    world.settings(json!({"listLagMilliseconds": 1500, "revokeLagMilliseconds": 1500})).await;
    world.faults(json!([{"operation": "generate", "kind": "LoseAnswer", "count": 1}])).await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    world.agrees("ci", "ci-secret").await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until("ci", "a replacement is current", |token| attempt(token) > 2).await;
    world.agrees("ci", "ci-secret").await;
    let made = world.made().await;
    assert_eq!(made.len(), 3);
    assert_eq!(made.iter().filter(|row| row.state == State::Revoked).count(), 2);
}

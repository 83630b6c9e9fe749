//! Identity conflicts: copies of the same objects in another cluster, and objects that come back from a backup (P21, P22).

use artifact_token_operator::api::artifact_token::{ArtifactToken, CONFIRM_IDENTITY, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::ready;
use support::acts::ledger;
use support::{World, attempt, condition};

/// Generates a token under the name that a clone of this object gives to its next attempt.
async fn generated_by_a_clone(world: &World, number: u32, nonce: &str) -> (String, String) {
    let own = world.made().await.last().expect("a token").name.clone();
    let mut parts: Vec<&str> = own.split(' ').next().unwrap().split('.').collect();
    let number = number.to_string();
    (parts[2], parts[3]) = (&number, nonce);
    world.generate_as(&parts.join(".")).await
}

/// A request for a rotation changes nothing.
async fn stays_as_it_is(world: &World, made: usize) {
    world.annotate("ci", ROTATE_REQUESTED_AT, "during the conflict").await;
    let stalled = world.until_reason("ci", ConditionType::Stalled, Reason::IdentityConflict).await;
    assert_eq!(stalled.status, ConditionStatus::True);
    assert!(stalled.message.contains(CONFIRM_IDENTITY), "{}", stalled.message);
    assert_eq!(world.count().await, made, "nothing was generated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_clone_is_neither_taken_in_nor_revoked_until_a_person_confirms() {
    let (world, mut operator, _) = ready("clone").await;
    let (clones, value) = generated_by_a_clone(&world, 2, "aaaaaaaa").await;
    // After a lost answer, the operator reads the list of tokens for this object.
    world.faults(json!([{"operation": "generate", "kind": "LoseAnswer", "count": 1}])).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_event("ci", "IdentityConflict").await;
    let made = world.count().await;
    stays_as_it_is(&world, made).await;
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    stays_as_it_is(&world, made).await;
    assert!(world.accepts(&value).await, "the clone's token still works");

    world.annotate("ci", CONFIRM_IDENTITY, "the clone is gone").await;
    world.until("ci", "it goes on", |token| condition(token, ConditionType::Stalled).is_none()).await;
    let token = world.agrees("ci", "ci-secret").await;
    assert!(ledger(&token).conflict.is_none());
    assert!(world.is_dead(&clones).await, "revoked after its overlap");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_token_dies_during_an_identity_conflict_is_not_ready() {
    let (world, _operator, _) = ready("clone-dead").await;
    world.patch("ci", json!({"spec": {"verification": {"interval": "1s"}}})).await;
    generated_by_a_clone(&world, 2, "aaaaaaaa").await;
    world.faults(json!([{"operation": "generate", "kind": "LoseAnswer", "count": 1}])).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_event("ci", "IdentityConflict").await;
    let made = world.count().await;
    world.revoke_by_person(&world.current_id("ci").await).await;
    let ready = world.until_reason("ci", ConditionType::Ready, Reason::IdentityConflict).await;
    assert_eq!(ready.status, ConditionStatus::False);
    assert_eq!(world.count().await, made, "no other token was generated");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_in_an_identity_conflict_is_deleted_only_when_a_person_says_whose_the_tokens_are() {
    let (world, _operator, _) = ready("clone-gone").await;
    let (_, value) = generated_by_a_clone(&world, 2, "aaaaaaaa").await;
    world.faults(json!([{"operation": "generate", "kind": "LoseAnswer", "count": 1}])).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_event("ci", "IdentityConflict").await;
    world.delete("ci").await;
    world.until_reason("ci", ConditionType::Stalled, Reason::IdentityConflict).await;
    assert!(world.accepts(&value).await);
    world.annotate("ci", CONFIRM_IDENTITY, "ours").await;
    world.until_gone("ci").await;
    assert!(world.service.live().await.unwrap().is_empty());
}

/// The part of an object that a backup tool keeps: no status, no uid, none of the API server's own fields.
fn backed_up(object: &impl serde::Serialize) -> Value {
    let mut kept = serde_json::to_value(object).unwrap();
    kept.as_object_mut().unwrap().remove("status");
    let meta = kept["metadata"].as_object_mut().unwrap();
    for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
        meta.remove(field);
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_and_secrets_that_a_backup_brings_back_without_status_get_a_token_of_their_own() {
    let (world, operator, first) = ready("restore").await;
    let (token, secret) = (world.token("ci").await, world.secret("ci-secret").await.unwrap());
    // The disaster: everything in the namespace is gone, and no operator ran that could revoke the token.
    drop(operator);
    world.patch("ci", json!({"metadata": {"finalizers": null}})).await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    world.secrets().delete("ci-secret", &Default::default()).await.unwrap();
    // The restore: the object has a finalizer and a new uid.
    let tokens: Api<ArtifactToken> = world.tokens();
    let secrets: Api<Secret> = world.secrets();
    let restored = serde_json::from_value(backed_up(&secret)).unwrap();
    secrets.create(&PostParams::default(), &restored).await.unwrap();
    let restored = serde_json::from_value(backed_up(&token)).unwrap();
    tokens.create(&PostParams::default(), &restored).await.unwrap();
    assert!(world.token("ci").await.finalizers().iter().any(|name| name.contains("artifact-token")));

    let _operator = world.operator().await;
    world.until("ci", "a token of its own is current", |token| attempt(token) > 0).await;
    let token = world.until_ready("ci").await;
    let held = world.value("ci-secret", "token").await;
    assert!(held != first && world.accepts(&held).await);
    assert!(world.accepts(&first).await, "the backup may be of a cluster that still uses it");
    assert_eq!(
        world.secret("ci-secret").await.unwrap().annotations()["artifact-token.dev/owner"].split('/').next_back(),
        token.metadata.uid.as_deref()
    );
}

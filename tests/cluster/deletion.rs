//! The object, its service or its credential is deleted.

use artifact_token_operator::api::artifact_token::{ROTATE_REQUESTED_AT, SKIP_REVOCATION};
use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;
use testbed::poll;

use crate::ready;
use support::acts::ledger;
use support::{DEADLINE, World, condition, token_yaml};

#[tokio::test(flavor = "multi_thread")]
async fn with_policy_orphan_token_and_secret_stay_and_a_warning_says_so() {
    let world = World::quick("orphan").await;
    let _operator = world.operator().await;
    world.create("ci", |spec| spec["deletion"] = json!({"policy": "Orphan"})).await;
    world.until_ready("ci").await;
    let (id, value) = (world.current_id("ci").await, world.value("ci-secret", "token").await);
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(world.accepts(&value).await);
    assert_eq!(world.value("ci-secret", "token").await, value);
    let (type_, note) = world.until_event("ci", "TokenRevocationSkipped").await;
    assert_eq!(type_, "Warning");
    assert!(note.contains(&id) && note.contains("Orphan"), "{note}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_without_its_service_waits_visibly_and_ends_when_it_is_back() {
    let (mut world, _operator, value) = ready("blocked").await;
    world.service.process().kill();
    world.delete("ci").await;
    let blocked = world.until_reason("ci", ConditionType::RevocationPending, Reason::RevocationFailed).await;
    assert!(blocked.message.contains("tries to revoke it failed"), "{}", blocked.message);
    let token = world.token("ci").await;
    let ready = condition(&token, ConditionType::Ready).unwrap();
    assert_eq!((ready.status, ready.reason), (ConditionStatus::False, Reason::Deleting));
    world.service.restart().await.unwrap();
    world.until_gone("ci").await;
    assert!(!world.accepts(&value).await);
    assert!(world.secret("ci-secret").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_annotation_skip_revocation_lets_an_object_go_without_its_service() {
    let (mut world, _operator, value) = ready("skip").await;
    let id = world.current_id("ci").await;
    world.service.process().kill();
    world.delete("ci").await;
    world.until_reason("ci", ConditionType::RevocationPending, Reason::RevocationFailed).await;
    world.annotate("ci", SKIP_REVOCATION, "true").await;
    world.until_gone("ci").await;
    let (type_, note) = world.until_event("ci", "TokenRevocationSkipped").await;
    assert_eq!(type_, "Warning");
    assert!(note.contains(&id), "{note}");
    assert!(world.secret("ci-secret").await.is_none());
    world.service.restart().await.unwrap();
    assert!(world.accepts(&value).await, "a person has to revoke it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_the_same_name_has_nothing_to_do_with_the_one_before() {
    let (world, _operator, first) = ready("again").await;
    let uid = world.token("ci").await.uid();
    world.delete("ci").await;
    world.until_gone("ci").await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    assert_ne!(world.token("ci").await.uid(), uid);
    let token = world.agrees("ci", "ci-secret").await;
    assert_eq!(support::attempt(&token), 1);
    assert!(!world.accepts(&first).await);
    assert_eq!(world.count().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_deleted_in_the_middle_of_a_rotation_leaves_nothing() {
    let (world, _operator, first) = ready("middle").await;
    world.faults(json!([{"operation": "generate", "kind": "Latency", "milliseconds": 1000, "count": 1}])).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world
        .until("ci", "attempt 2 is claimed", |token| ledger(token).claim.is_some_and(|claim| claim.attempt == 2))
        .await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert_eq!(world.count().await, 2);
    assert!(world.service.live().await.unwrap().is_empty());
    assert!(world.secret("ci-secret").await.is_none());
    assert!(!world.accepts(&first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_object_stays_while_tokens_need_it() {
    let (world, _operator, value) = ready("needed").await;
    let services = world.services();
    services.delete("reference", &DeleteParams::default()).await.unwrap();
    let waits = world.until_service("reference", ConditionType::Stalled, Reason::Deleting).await;
    assert!(waits.message.contains("1 ArtifactTokens"), "{}", waits.message);
    assert!(world.accepts(&value).await);
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(!world.accepts(&value).await);
    let gone = || async {
        match services.get_opt("reference").await.map_err(|error| error.to_string())? {
            None => Ok(()),
            Some(service) => Err(format!("{:#?}", service.status)),
        }
    };
    poll("the service object is gone", DEADLINE, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_revoked_with_the_last_good_credential_when_its_secret_is_gone() {
    let (world, _operator, value) = ready("lastgood").await;
    world.delete_secret("reference-admin").await;
    world.until_service("reference", ConditionType::Stalled, Reason::CredentialMissing).await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(!world.accepts(&value).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_revoked_as_the_last_good_declaration_says_when_it_was_broken_since() {
    let (world, _operator, value) = ready("broken").await;
    world.serve(|spec| spec["operations"]["generate"]["request"]["json"] = json!(r#"{"name": {{ nmae }}}"#)).await;
    world.until_service("reference", ConditionType::Stalled, Reason::InvalidSpec).await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(!world.accepts(&value).await);
}

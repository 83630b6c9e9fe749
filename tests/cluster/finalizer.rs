//! Somebody takes a finalizer off: it comes back. And what is left behind when it goes is reported, in one event.

use artifact_token_operator::api::artifact_token::{
    ArtifactToken, RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT, SKIP_REVOCATION,
};
use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::api::{FINALIZER, SERVICE_FINALIZER};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testbed::poll;

use crate::ready;
use support::acts::ledger;
use support::{DEADLINE, World, condition, token_yaml};

fn no_finalizers() -> Value {
    json!({"metadata": {"finalizers": null}})
}

fn is_held(token: &ArtifactToken) -> bool {
    token.finalizers().iter().any(|name| name == FINALIZER)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finalizer_that_was_taken_off_comes_back_and_the_deletion_revokes() {
    let (world, _operator, value) = ready("stripped").await;
    world.patch("ci", no_finalizers()).await;
    world.until("ci", "the finalizer is back", is_held).await;
    // Also where nothing new may be made.
    world.patch("ci", json!({"metadata": {"finalizers": null}, "spec": {"suspend": true}})).await;
    world.until("ci", "the finalizer is back", is_held).await;
    assert_eq!(world.count().await, 1, "it claims nothing");
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(!world.accepts(&value).await);
    assert!(world.secret("ci-secret").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_finalizer_of_a_service_object_comes_back_too() {
    let (world, _operator, value) = ready("unheld").await;
    let services = world.services();
    services.patch("reference", &PatchParams::default(), &Patch::Merge(no_finalizers())).await.unwrap();
    let back = || async {
        let service = services.get("reference").await.map_err(|error| error.to_string())?;
        let held = service.finalizers().iter().any(|name| name == SERVICE_FINALIZER);
        if held { Ok(()) } else { Err("it has no finalizer".to_owned()) }
    };
    poll("the finalizer is back", DEADLINE, back).await.unwrap();
    assert!(world.accepts(&value).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_claim_at_a_service_without_names_is_reported_also_after_a_kill() {
    let world = World::quick("nameless").await;
    world
        .serve(|spec| {
            spec["operations"]["naming"] = json!({"unsupported": true});
            spec["operations"]["generate"]["request"]["json"] = json!(
                r#"{"name": "nobody", "lifetimeSeconds": {{ lifetimeSeconds }}, "scopes": {{ parameters.scopes or [] }}}"#
            );
        })
        .await;
    let mut operator = world.operator().await;
    let slow = json!([{"operation": "generate", "kind": "Latency", "milliseconds": 1500, "when": "After", "count": 1}]);
    world.faults(slow).await;
    world.apply(&token_yaml("ci")).await;
    world.until_live("a token lives", |live| live.len() == 1).await;
    operator.kill();
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    world.delete("ci").await;
    world.until_gone("ci").await;
    let (type_, note) = world.until_event("ci", "OrphanedTokenFound").await;
    assert_eq!(type_, "Warning");
    assert!(note.contains("a token of attempt 1, asked for at about 20"), "{note}");
    assert_eq!(world.service.live().await.unwrap().len(), 1, "nobody can tell it from a stranger's");
}

#[tokio::test(flavor = "multi_thread")]
async fn skip_revocation_reports_the_known_token_and_the_lost_one_in_one_event() {
    let (world, _operator, _) = ready("both").await;
    let id = world.current_id("ci").await;
    world.faults(json!([{"operation": "generate", "kind": "LoseAnswer", "count": 1}])).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world
        .until("ci", "attempt 2 is claimed", |token| ledger(token).claim.is_some_and(|claim| claim.attempt == 2))
        .await;
    world.until_live("the second token lives", |live| live.len() == 2).await;
    world.annotate("ci", SKIP_REVOCATION, "true").await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    let (type_, note) = world.until_event("ci", "TokenRevocationSkipped").await;
    assert_eq!(type_, "Warning");
    // Where the operator was quick, it has found the lost one already.
    let lost = note.contains("a token of attempt 2") || note.contains("(attempt 2)");
    assert!(note.contains(&format!("{id} (attempt 1)")) && lost && note.contains("skip-revocation"), "{note}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immutable_secret_of_the_object_goes_with_it() {
    let (world, _operator, value) = ready("immutable").await;
    world.patch_secret("ci-secret", json!({"immutable": true})).await;
    let halted = world.until_reason("ci", ConditionType::Stalled, Reason::SecretConflict).await;
    assert!(halted.message.contains("immutable"), "{}", halted.message);
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(!world.accepts(&value).await);
    assert!(world.secret("ci-secret").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_without_its_label_is_still_seen_while_the_object_is_suspended() {
    let (world, _operator, _) = ready("unlabelled").await;
    world.patch("ci", json!({"spec": {"suspend": true}})).await;
    world.patch_secret("ci-secret", json!({"metadata": {"labels": {"artifact-token.dev/managed": null}}})).await;
    world.annotate("ci", RECONCILE_REQUESTED_AT, "1").await;
    let labelled =
        |secret: &k8s_openapi::api::core::v1::Secret| secret.labels().contains_key("artifact-token.dev/managed");
    world.until_secret("ci-secret", "the label is back", labelled).await;
    let ready = |token: &ArtifactToken| {
        condition(token, ConditionType::Ready).is_some_and(|ready| ready.status == ConditionStatus::True)
    };
    world.until("ci", "it is Ready", ready).await;
    // The same at a deletion that asks the service nothing.
    world.patch_secret("ci-secret", json!({"metadata": {"labels": {"artifact-token.dev/managed": null}}})).await;
    world.annotate("ci", SKIP_REVOCATION, "true").await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(world.secret("ci-secret").await.is_none());
}

//! The Secret or the namespace that the token should go to.

use artifact_token_operator::api::artifact_token::{RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::stalls;
use support::acts::ledger;
use support::{World, token_yaml};

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_somebody_else_is_not_touched() {
    let world = World::quick("foreign").await;
    let _operator = world.operator().await;
    for (name, type_) in [("plain", "Opaque"), ("typed", "example.org/other")] {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": format!("{name}-secret")}, "type": type_,
            "stringData": {"token": "theirs"},
        });
        world.apply(&secret.to_string()).await;
        let before = world.secret(&format!("{name}-secret")).await.unwrap();
        world.apply(&token_yaml(name)).await;
        let words = ["was not made by this operator", "delete it, or choose another spec.secret.name"];
        stalls(&world, name, Reason::SecretConflict, &words).await;
        assert_eq!(world.secret(&format!("{name}-secret")).await.unwrap(), before);
    }
    assert!(world.made().await.is_empty(), "a token was made");
    world.delete("plain").await;
    world.until_gone("plain").await;
    assert_eq!(world.value("plain-secret", "token").await, "theirs", "deletion does not touch it either");

    world.delete_secret("typed-secret").await;
    world.annotate("typed", RECONCILE_REQUESTED_AT, "1").await;
    world.until_ready("typed").await;
    world.agrees("typed", "typed-secret").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_objects_with_one_secret_the_older_one_keeps_it() {
    let world = World::quick("rival").await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("older")).await;
    world.until_ready("older").await;
    let same = |spec: &mut serde_json::Value| spec["secret"]["name"] = json!("older-secret");
    world.create("younger", same).await;
    stalls(&world, "younger", Reason::SecretConflict, &["older-secret", "choose another spec.secret.name"]).await;
    world.agrees("older", "older-secret").await;
    assert_eq!(world.count().await, 1);
    world.delete("younger").await;
    world.until_gone("younger").await;
    world.agrees("older", "older-secret").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immutable_secret_of_ours_is_reported_and_no_second_token_is_made() {
    let world = World::quick("immutable").await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    world.patch_secret("ci-secret", json!({"immutable": true})).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    let stalled = world.until_reason("ci", ConditionType::Stalled, Reason::SecretConflict).await;
    assert!(stalled.message.contains("immutable") && stalled.message.contains("delete it"), "{}", stalled.message);
    assert_eq!(world.count().await, 1);

    world.delete_secret("ci-secret").await;
    world.until_attempt("ci", 2).await;
    world.agrees("ci", "ci-secret").await;
    assert_eq!(world.count().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_made_in_a_namespace_that_ends() {
    let world = World::quick("ending").await;
    world.apply(&token_yaml("ci")).await;
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    // No controller manager runs here that would empty the namespace, so it stays in this state.
    namespaces.delete(&world.namespace, &DeleteParams::default()).await.unwrap();
    let _operator = world.operator().await;
    let stalled = world.until_reason("ci", ConditionType::Stalled, Reason::NamespaceTerminating).await;
    assert!(stalled.message.contains("is being deleted"), "{}", stalled.message);
    assert!(world.made().await.is_empty(), "a token was made");
    assert_eq!(ledger(&world.token("ci").await).claim, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_leaves_no_room_is_reported_before_a_token_is_made() {
    let world = World::quick("quota").await;
    world.apply(r#"{"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"secrets": "1"}}}"#).await;
    // No controller manager runs here that would count the Secrets, so the test does.
    let quotas: Api<ResourceQuota> = Api::namespaced(world.client.clone(), &world.namespace);
    let counted = |hard: &str| Patch::Merge(json!({"status": {"hard": {"secrets": hard}, "used": {"secrets": "1"}}}));
    quotas.patch_status("few", &PatchParams::default(), &counted("1")).await.unwrap();
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    stalls(&world, "ci", Reason::QuotaExceeded, &["exceeded quota: few", "raise the quota"]).await;
    assert!(world.made().await.is_empty(), "a token was made");

    let raised = Patch::Merge(json!({"spec": {"hard": {"secrets": "2"}}}));
    quotas.patch("few", &PatchParams::default(), &raised).await.unwrap();
    quotas.patch_status("few", &PatchParams::default(), &counted("2")).await.unwrap();
    world.annotate("ci", RECONCILE_REQUESTED_AT, "1").await;
    world.until_ready("ci").await;
    world.agrees("ci", "ci-secret").await;
}

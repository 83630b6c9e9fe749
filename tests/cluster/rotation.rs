//! Rotations that are requested, and changes that request none.

use artifact_token_operator::api::artifact_token::ROTATE_REQUESTED_AT;
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use kube::ResourceExt;
use serde_json::json;

use crate::ready;
use support::acts::ledger;
use support::{World, attempt, condition, credential_yaml};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_replaced_each_interval_and_the_old_one_lives_through_its_overlap() {
    let world = World::quick("interval").await;
    let _operator = world.operator().await;
    let rotation = json!({"policy": "Periodic", "interval": "10s", "overlap": "1500ms"});
    world.create("ci", |spec| spec["rotation"] = rotation).await;
    let token = world.until_ready("ci").await;
    let first = world.value("ci-secret", "token").await;
    assert!(token.status.unwrap().next_rotation_time.is_some());
    let issued = ledger(&world.token("ci").await).current.unwrap().issued_time;

    let token = world.until_attempt("ci", 2).await;
    assert!(
        condition(&token, ConditionType::RevocationPending).is_some_and(|found| found.reason == Reason::OverlapActive)
    );
    assert!(world.accepts(&first).await, "the old token lives on");
    let current = ledger(&token).current.unwrap();
    let age = current.claimed_time.since(issued).as_millis();
    // The spread is at most a tenth of the interval, and times of the API server have whole seconds.
    assert!((8_000..20_000).contains(&age), "the interval of 10 s was {age} ms");
    world.until("ci", "nothing is superseded", |token| ledger(token).superseded.is_empty()).await;
    let dead = &ledger(&world.token("ci").await).history[0];
    let overlap = dead.revoked_time.since(current.verified_time).as_millis();
    assert!(overlap >= 1500, "the overlap of 1500 ms was {overlap} ms");
    assert!(!world.accepts(&first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_issued_before_fires_once_and_a_label_not_at_all() {
    let (world, _operator, _) = ready("before").await;
    let later = chrono::Utc::now() + chrono::Duration::seconds(2);
    let later = later.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    world.patch("ci", json!({"spec": {"rotation": {"rotateIssuedBefore": later}}})).await;
    world.until_attempt("ci", 2).await;
    world.patch("ci", json!({"metadata": {"labels": {"team": "payments"}, "annotations": {"note": "x"}}})).await;
    world.agrees("ci", "ci-secret").await;
    // A later request shows that no other rotation was under way.
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 3).await;
    world.patch("ci", json!({"metadata": {"annotations": {ROTATE_REQUESTED_AT: null}}})).await;
    world.agrees("ci", "ci-secret").await;
    assert_eq!(world.count().await, 3);
    let stored = world.secret("ci-secret").await.unwrap();
    assert!(!stored.labels().contains_key("team"), "labels of the object are not copied");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_what_is_asked_for_is_one_rotation() {
    let (world, _operator, _) = ready("change").await;
    world.patch("ci", json!({"spec": {"parameters": {"scopes": ["read"]}}})).await;
    world.until_attempt("ci", 2).await;
    world.agrees("ci", "ci-secret").await;
    world.patch("ci", json!({"spec": {"lifetime": "24h"}})).await;
    let token = world.until_attempt("ci", 3).await;
    assert!(ledger(&token).current.unwrap().expiration_time.is_some());
    world.agrees("ci", "ci-secret").await;
    // A spec with other words but the same meaning asks for the same token.
    world.patch("ci", json!({"spec": {"lifetime": "1440m", "displayName": "pipelines"}})).await;
    world
        .until("ci", "the spec is applied", |token| {
            token.status.as_ref().and_then(|status| status.observed_generation) == token.metadata.generation
        })
        .await;
    world.agrees("ci", "ci-secret").await;
    let made = world.made().await;
    assert_eq!(made.len(), 3);
    assert_eq!(made[1].scopes, ["read"]);
    assert!(made[2].expiration_time.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_files_are_written_with_the_same_token() {
    let (world, _operator, value) = ready("render").await;
    let data = json!([
        {"key": "other", "format": "Raw"},
        {"key": "file", "format": "Template", "template": "key={{ token }}\n"},
    ]);
    world.patch("ci", json!({"spec": {"secret": {"data": data, "labels": {"team": "ci"}}}})).await;
    let stored = world.until_secret("ci-secret", "the new keys", |secret| {
        secret.data.as_ref().is_some_and(|data| data.contains_key("file"))
    });
    let stored = stored.await;
    assert_eq!(stored.data.as_ref().unwrap().keys().collect::<Vec<_>>(), ["file", "other"]);
    assert_eq!(stored.labels()["team"], "ci");
    assert_eq!(world.value("ci-secret", "other").await, value);
    assert_eq!(world.value("ci-secret", "file").await, format!("key={value}\n"));
    world.until_ready("ci").await;
    assert_eq!(world.count().await, 1);
    // A broken template leaves the Secret as it is.
    let broken = json!([{"key": "other", "format": "Raw"}, {"key": "file", "format": "Template", "template": "{{ x"}]);
    world.patch("ci", json!({"spec": {"secret": {"data": broken}}})).await;
    world.until_reason("ci", ConditionType::Stalled, Reason::InvalidSpec).await;
    assert_eq!(world.secret("ci-secret").await.unwrap().data, stored.data);
    assert!(world.accepts(&value).await);
    assert_eq!(world.count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_suspended_no_token_is_made_but_repairs_and_revokes_go_on() {
    let (world, _operator, first) = ready("suspend").await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 2).await;
    world.patch("ci", json!({"spec": {"suspend": true, "secret": {"labels": {"team": "ci"}}}})).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "2").await;
    let labelled =
        |secret: &k8s_openapi::api::core::v1::Secret| secret.labels().get("team").is_some_and(|team| team == "ci");
    world.until_secret("ci-secret", "the label is there", labelled).await;
    world.patch_secret("ci-secret", json!({"metadata": {"labels": {"team": "other"}}})).await;
    world.until_secret("ci-secret", "the label is put back", labelled).await;
    world.agrees("ci", "ci-secret").await;
    assert!(!world.accepts(&first).await, "the revoke went on");
    assert_eq!(world.count().await, 2);
    world.patch("ci", json!({"spec": {"suspend": false}})).await;
    world.until_attempt("ci", 3).await;
    world.agrees("ci", "ci-secret").await;
    assert_eq!(world.count().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_suspended_no_first_token_is_made() {
    let world = World::quick("suspended").await;
    let _operator = world.operator().await;
    world.create("ci", |spec| spec["suspend"] = json!(true)).await;
    let ready = world.until_reason("ci", ConditionType::Ready, Reason::Suspended).await;
    assert!(ready.message.contains("spec.suspend"), "{}", ready.message);
    assert!(world.made().await.is_empty());
    world.patch("ci", json!({"spec": {"suspend": false}})).await;
    world.until_ready("ci").await;
    assert_eq!(attempt(&world.agrees("ci", "ci-secret").await), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_credential_is_used_without_a_restart_and_revokes_nothing() {
    let (world, _operator, first) = ready("credential").await;
    world.replace_admin_key("another-admin-key").await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_service("reference", ConditionType::Stalled, Reason::CredentialRejected).await;
    assert!(world.accepts(&first).await);
    world.apply(&credential_yaml("another-admin-key")).await;
    world.until("ci", "a replacement is current", |token| attempt(token) > 1).await;
    world.until_service("reference", ConditionType::Ready, Reason::CredentialsAccepted).await;
    world.agrees("ci", "ci-secret").await;
    assert!(!world.accepts(&first).await);
    assert_eq!(world.count().await, 2);
}

//! Changes by hand: somebody labels the object, deletes its Secret, or adds a key to the Secret.
//!
//! Seen elsewhere: each of the three makes a new token for each object, and nobody marks or revokes the old one.

use std::time::Duration;

use artifact_token_operator::api::artifact_token::ArtifactToken;
use data_encoding::BASE64;
use serde_json::json;

use crate::fleet::{Fleet, metric, until_metric};
use support::OVERLAP_MILLISECONDS;
use support::acts::ledger;
use support::figures::figure;

const OBJECTS: usize = 10;
/// Passes over objects, with any outcome.
const PASSES: &str = "artifacttoken_reconcile_total{controller=\"artifacttoken\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_label_on_the_object_makes_no_token() {
    let (fleet, operator) = Fleet::ready("peer-label", OBJECTS).await;
    let before = metric(&operator, PASSES).await;
    let label = json!({"metadata": {"labels": {"team": "ci"}}});
    fleet.for_all(async |name| fleet.world.patch(&name, label.clone()).await).await;
    until_metric(&operator, PASSES, |passes| passes >= before + OBJECTS as u64).await;
    fleet.agrees().await;
    let generates = fleet.generates().await;
    figure(&format!("a label put on {OBJECTS} objects: {generates} generates"));
    assert_eq!(generates, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_secret_makes_one_token_and_the_old_one_dies_after_its_overlap() {
    let (fleet, _operator) = Fleet::ready("peer-gone", OBJECTS).await;
    fleet.for_all(async |name| fleet.world.delete_secret(&format!("{name}-secret")).await).await;
    fleet.until_all("all have another token", |token| fleet.has_another(token)).await;
    fleet.agrees().await;
    let generates = fleet.generates().await;
    let lived_on = fleet.tokens().await.iter().map(lived_on).min().unwrap();
    figure(&format!(
        "the Secret of {OBJECTS} objects deleted: {generates} generates; every old token revoked, the first one {} ms after \
         its successor was verified (overlap {OVERLAP_MILLISECONDS} ms)",
        lived_on.as_millis()
    ));
    assert_eq!(generates, OBJECTS as u64);
    assert!(lived_on >= Duration::from_millis(OVERLAP_MILLISECONDS), "{lived_on:?}");
}

/// How long the replaced token lived on.
fn lived_on(token: &ArtifactToken) -> Duration {
    let ledger = ledger(token);
    ledger.history[0].revoked_time.since(ledger.current.unwrap().verified_time)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_added_to_the_secret_is_removed_and_makes_no_token() {
    let (fleet, _operator) = Fleet::ready("peer-key", OBJECTS).await;
    let key = json!({"data": {"extra": BASE64.encode(b"by-hand")}});
    fleet.for_all(async |name| fleet.world.patch_secret(&format!("{name}-secret"), key.clone()).await).await;
    for name in fleet.names() {
        let only_ours =
            |secret: &k8s_openapi::api::core::v1::Secret| secret.data.as_ref().is_some_and(|data| data.len() == 1);
        fleet.world.until_secret(&format!("{name}-secret"), "the added key is gone", only_ours).await;
    }
    fleet.agrees().await;
    let generates = fleet.generates().await;
    figure(&format!("a key added to the Secret of {OBJECTS} objects: {generates} generates; the key is removed"));
    assert_eq!(generates, 0);
}

//! The sweep of a service finds tokens under our name that nobody needs. These tests have their own control plane, because a sweep
//! looks at the objects of all namespaces.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::token_service::sweep::LastSweep;
use serde_json::json;
use support::acts::ready;
use support::{DEADLINE, World};
use testbed::poll;

/// Generates a token under the name of an object that does not exist any more.
async fn orphan(world: &World) -> (String, String) {
    world.generate_as("test.aaaaaaaaaaaaaaaa.3.bbbbbbbb gone").await
}

/// The shortest interval between two sweeps, twice.
const TWO_SWEEPS: Duration = Duration::from_secs(20);

async fn sweep(world: &World, policy: &str) {
    world.serve(|spec| spec["sweep"] = json!({"interval": "10s", "policy": policy})).await;
}

/// Waits until a sweep has these counts.
async fn until_swept(world: &World, what: &str, check: impl Fn(&LastSweep) -> bool) -> LastSweep {
    let services = world.services();
    let look = || async {
        let service = services.get("reference").await.map_err(|error| error.to_string())?;
        let last = service.status.and_then(|status| status.last_sweep);
        last.clone().filter(|last| check(last)).ok_or_else(|| format!("{last:?}"))
    };
    poll(what, DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"))
}

/// The operator asks nothing for it: the list of a sweep says it, and one status write a day records it.
#[tokio::test(flavor = "multi_thread")]
async fn when_a_token_was_last_used_stands_in_the_status_of_its_object() {
    let (world, _operator, value) = ready("used").await;
    sweep(&world, "Report").await;
    let used = |token: &ArtifactToken| token.status.as_ref()?.ledger.current.as_ref()?.last_used_time;
    let token = world.until("ci", "the first use is recorded", |token| used(token).is_some()).await;
    let (first, version) = (used(&token), token.metadata.resource_version);
    assert!(world.accepts(&value).await, "a later use");
    until_swept(&world, "another sweep", |last| first.is_some_and(|first| last.time > first.plus(TWO_SWEEPS))).await;
    let token = world.token("ci").await;
    assert_eq!((used(&token), token.metadata.resource_version), (first, version), "a day is not over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_an_object_is_reported_and_revoked_only_where_that_is_asked_for() {
    let (world, _operator, value) = ready("sweep").await;
    let (id, orphaned) = orphan(&world).await;
    let (_, strangers) = world.generate_as("somebody else's").await;
    sweep(&world, "Report").await;
    let last = until_swept(&world, "the orphan is reported", |last| last.orphaned == Some(1)).await;
    assert_eq!((last.managed, last.orphans[0].id.as_str()), (1, id.as_str()));
    assert!(world.accepts(&orphaned).await, "the sweep only reports it");
    sweep(&world, "Revoke").await;
    until_swept(&world, "there is none any more", |last| last.orphaned == Some(0)).await;
    assert!(world.is_dead(&id).await);
    assert!(world.accepts(&value).await && world.accepts(&strangers).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_living_object_that_it_does_not_need_is_revoked_by_the_object_after_an_overlap() {
    let (world, _operator, _) = ready("suspect").await;
    let own = world.made().await[0].name.clone();
    // A second token for the claim that the finalizer implies, as a request that arrives twice makes it.
    let (id, value) = world.generate_as(&format!("{} twice", own.split(' ').next().unwrap())).await;
    sweep(&world, "Report").await;
    world.until_live("it is gone", |live| live.iter().all(|row| row.id != id)).await;
    assert!(!world.accepts(&value).await);
    world.agrees("ci", "ci-secret").await;
}

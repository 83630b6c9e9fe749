//! The store is put back to a snapshot while several objects are at work. The cluster forgets every later change, but the service
//! does not. ResourceVersions count on from the snapshot, so the versions that the operator remembers look newer than the real ones.
//!
//! | object | at the snapshot | at the restore |
//! |---|---|---|
//! | `issued` | suspended, without a token | Ready |
//! | `published` | Ready | rotated, the old token in its overlap |
//! | `middle` | its second attempt claimed and not answered | rotated, the first token dead |
//! | `overlapped` | rotated, the old token in its overlap | the old token dead |
//! | `replaced` | Ready | rotated, so the token that the restored Secret holds is dead |
//! | `deleted` | Ready | gone, so the token that the restored Secret holds is dead |
//! | `left` | Ready | Ready |
//! | `later` | absent | Ready |

use std::time::Instant;

use artifact_token_operator::api::artifact_token::CONFIRM_IDENTITY;
use serde_json::{Value, json};
use testbed::audit::Mark;
use testbed::{Operator, poll};

use crate::consumers::Consumers;
use crate::own_plane::{DEADLINE, OwnPlane, is_suspected, seconds};
use support::acts::ledger;
use support::attempt;
use support::figures::figure;

/// An overlap that ends after the restore, and before the test's deadline.
const LONG_OVERLAP: &str = "25s";
/// An overlap that ends after the snapshot, and before the restore.
const SHORT_OVERLAP: &str = "8s";
/// Requests of the operator for each object, from the restore until all rest.
const MAX_REQUESTS: usize = 40;
/// After the restore, the token of `later` belongs to no object; only the sweep of the service finds it.
const OF_NOBODY: usize = 1;
/// Only the process that generated them knows the tokens that `issued`, `published` and `replaced` got since the snapshot.
const OF_ITS_MAKER: usize = 3;
/// All objects of the snapshot.
const RESTORED: [&str; 7] = ["issued", "published", "middle", "overlapped", "replaced", "deleted", "left"];
/// Those whose restored Secret holds a living token.
const USED: [&str; 3] = ["published", "overlapped", "left"];

fn with_overlap(overlap: &'static str) -> impl Fn(&mut Value) {
    move |spec| {
        spec["rotation"]["overlap"] = json!(overlap);
        spec["verification"] = json!({"interval": "8s"});
    }
}

/// Brings the objects to the snapshot, and on from there.
async fn prepare(own_plane: &mut OwnPlane) -> testbed::control_plane::Snapshot {
    let world = &own_plane.world;
    world.create("published", with_overlap(LONG_OVERLAP)).await;
    world.create("overlapped", with_overlap(SHORT_OVERLAP)).await;
    for name in ["middle", "replaced", "deleted", "left"] {
        world.create(name, with_overlap("1500ms")).await;
    }
    world.create("issued", |spec| spec["suspend"] = json!(true)).await;
    own_plane.ready(&["published", "overlapped", "middle", "replaced", "deleted", "left"]).await;
    own_plane.rotate(&["overlapped"], "1").await;
    own_plane.fulfilled(&["overlapped"], "1").await;
    // `middle` is claimed, and has no answer yet.
    let slow = json!([{"operation": "generate", "kind": "Latency", "milliseconds": 1500, "count": 1}]);
    own_plane.world.faults(slow).await;
    own_plane.world.service.reset_calls().await.unwrap();
    own_plane.rotate(&["middle"], "1").await;
    own_plane.until_calls("generate is under way", |calls| calls.generate > 0).await;
    assert!(!ledger(&own_plane.world.token("overlapped").await).superseded.is_empty(), "its overlap was too short");
    let snapshot = own_plane.plane().snapshot().await.unwrap();
    own_plane.world.patch("issued", json!({"spec": {"suspend": false}})).await;
    own_plane.rotate(&["published", "replaced"], "1").await;
    own_plane.world.delete("deleted").await;
    own_plane.world.create("later", |_| {}).await;
    own_plane.ready(&["issued", "later"]).await;
    own_plane.fulfilled(&["published", "middle", "replaced"], "1").await;
    for name in ["middle", "replaced", "overlapped"] {
        assert!(!own_plane.rests(name).await);
    }
    own_plane.world.until_gone("deleted").await;
    assert!(!ledger(&own_plane.world.token("published").await).superseded.is_empty(), "its overlap was too short");
    snapshot
}

async fn check(prefix: &str, restarted: bool) {
    let mut own_plane = OwnPlane::start(prefix).await;
    let mut operator = own_plane.operator("1s").await;
    let snapshot = prepare(&mut own_plane).await;
    let mark = own_plane.world.plane.mark().await.unwrap();
    if restarted {
        operator.kill();
        // Only the process that ended knew the tokens that the snapshot does not have.
        own_plane.forgotten = own_plane.world.service.live().await.unwrap().into_iter().map(|row| row.id).collect();
    }
    let consumers = Consumers::start(&own_plane.world, &USED);
    own_plane.plane().restore(&snapshot).await.unwrap();
    let began = Instant::now();
    if restarted {
        operator.restart().unwrap();
        operator.ready().await.unwrap();
    }
    let suspected = come_to_rest(&own_plane).await;
    let tally = consumers.end().await;
    report(&own_plane, prefix, mark, began, suspected).await;
    figure(&format!("consumers of {prefix}: {} uses accepted, 0 rejected, {} stale", tally.accepted, tally.stale));
    swept(&own_plane).await;
    still_obeys(&own_plane, &operator).await;
}

/// The sweep of the service finds the tokens that nobody knows any more. Objects adopt their own ones, if a person confirms the
/// identity, and the sweep revokes the tokens that belong to no object.
async fn swept(own_plane: &OwnPlane) {
    own_plane.world.serve(|spec| spec["sweep"] = json!({"interval": "10s", "policy": "Revoke"})).await;
    let look = || async {
        for name in RESTORED {
            let token = own_plane.world.tokens().get(name).await.map_err(|error| error.to_string())?;
            if is_suspected(&token) {
                own_plane.world.annotate(name, CONFIRM_IDENTITY, "2").await;
            }
        }
        let live = own_plane.world.service.live().await.map_err(|error| error.to_string())?;
        if live.len() == RESTORED.len() { Ok(()) } else { Err(format!("{live:#?}")) }
    };
    poll("one token lives for each object, and no other", DEADLINE, look)
        .await
        .unwrap_or_else(|error| panic!("{error:#}"));
    for name in RESTORED {
        assert!(!own_plane.rests(name).await, "{name} needs another person");
    }
}

/// Waits until every restored object is at rest; returns how many of them needed a person.
async fn come_to_rest(own_plane: &OwnPlane) -> usize {
    own_plane.until("issued", "it is as it was", |token| token.spec.suspend && attempt(token) == 0).await;
    own_plane.world.patch("issued", json!({"spec": {"suspend": false}})).await;
    let mut suspected = 0;
    for name in RESTORED {
        suspected += usize::from(own_plane.rests(name).await);
    }
    suspected
}

async fn report(own_plane: &OwnPlane, prefix: &str, mark: Mark, began: Instant, suspected: usize) {
    let (after, requests) = (seconds(began), own_plane.requests_since(mark).await);
    let sum: usize = requests.values().sum();
    assert!(sum <= MAX_REQUESTS * RESTORED.len(), "{sum} requests until all rest: {requests:#?}");
    let (made, live) = (own_plane.world.count().await, own_plane.world.service.live().await.unwrap());
    let left = live.len() - RESTORED.len();
    figure(&format!(
        "store put back, operator {prefix}: {} objects at rest after {after}, {suspected} of them confirmed by a person; {sum} \
         requests, {made} tokens made, {left} left to the sweep of the service",
        RESTORED.len(),
    ));
    let most = if own_plane.forgotten.is_empty() { OF_NOBODY } else { OF_NOBODY + OF_ITS_MAKER };
    assert!(left <= most, "{live:#?}");
    own_plane.is_quiet(RESTORED.len()).await;
}

/// The operator fulfils requests that come after the restore.
async fn still_obeys(own_plane: &OwnPlane, operator: &Operator) {
    own_plane.rotate(&RESTORED, "after").await;
    own_plane.fulfilled(&RESTORED, "after").await;
    for name in RESTORED {
        own_plane.rests(name).await;
        let lost = ledger(&own_plane.world.token(name).await).lost;
        assert!(lost.is_empty(), "{name} still looks for {lost:?}\n{}", operator.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_runs_while_the_store_goes_back_follows_it() {
    check("running", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_starts_after_the_store_went_back_follows_it() {
    check("restarted", true).await;
}

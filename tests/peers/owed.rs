//! Tokens cannot be revoked for a while: the operator reports it, and revokes them in the end.
//!
//! Seen elsewhere: a deleted object is gone at once, and no condition, event or metric shows that its token lives.

use std::time::{Duration, Instant};

use artifact_token_operator::api::artifact_token::ArtifactToken;
use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use serde_json::json;
use testbed::{Operator, poll};

use crate::fleet::{Fleet, metric, until_metric};
use support::figures::figure;
use support::{DEADLINE, condition, is_ready};

const OBJECTS: u64 = 10;
/// How long *revoke* fails after a revoke is owed.
const OUTAGE: Duration = Duration::from_secs(10);
const OWED: &str = "artifacttoken_revocations_owed ";
const PENDING: &str = "artifacttoken_revocations_pending ";

/// A fleet whose service answers 500 to *revoke*, without effect.
async fn fleet_without_revokes(prefix: &str) -> (Fleet, Operator) {
    let (fleet, operator) = Fleet::ready(prefix, OBJECTS as usize).await;
    fleet.world.faults(json!([{"operation": "revoke", "kind": "Status", "status": 500}])).await;
    assert_eq!((metric(&operator, OWED).await, metric(&operator, PENDING).await), (0, 0), "nothing is owed yet");
    (fleet, operator)
}

/// Whether the condition reports a failed revoke.
fn says_owed(token: &ArtifactToken) -> bool {
    condition(token, ConditionType::RevocationPending).is_some_and(|pending| {
        pending.reason == Reason::RevocationFailed
            && pending.message.contains("tries to revoke it failed, the next is at")
    })
}

async fn until_events(fleet: &Fleet) {
    for name in fleet.names() {
        let (type_, note) = fleet.world.until_event(&name, "TokenRevocationFailed").await;
        assert_eq!(type_, "Warning");
        assert!(note.contains("is not known to be dead: revoke: status 500"), "{note}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoke_that_a_rotation_owes_is_reported_and_done_once_the_service_can() {
    let (fleet, operator) = fleet_without_revokes("peer-owed").await;
    fleet.rotate("1").await;
    let pending = until_metric(&operator, PENDING, |pending| pending > 0).await;
    fleet
        .until_all("all say that a revoke is owed", |token| {
            is_ready(token) && fleet.has_another(token) && says_owed(token)
        })
        .await;
    until_metric(&operator, OWED, |owed| owed == OBJECTS).await;
    until_events(&fleet).await;
    let ready = metric(&operator, "artifacttoken_objects{ready=\"True\",reason=\"TokenValid\"}").await;
    assert_eq!(ready, OBJECTS, "the new tokens are valid meanwhile");
    assert_eq!(fleet.world.service.live().await.unwrap().len() as u64, 2 * OBJECTS);
    tokio::time::sleep(OUTAGE).await;
    assert_eq!(metric(&operator, OWED).await, OBJECTS);
    let calls = fleet.world.service.books().await.unwrap().calls.revoke;
    fleet.world.service.clear_faults().await.unwrap();
    let cleared = Instant::now();
    until_metric(&operator, OWED, |owed| owed == 0).await;
    let done = cleared.elapsed();
    fleet.agrees().await;
    assert_eq!(metric(&operator, PENDING).await, 0);
    figure(&format!(
        "revokes owed by {OBJECTS} rotations while DELETE answers 500: metric {OBJECTS} ({pending} were seen pending \
         before, in their overlap), condition and event on each, {calls} calls; all dead {:.1} s after it could",
        done.as_secs_f64()
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoke_that_a_deletion_owes_keeps_the_object_is_reported_and_done_once_the_service_can() {
    let (fleet, operator) = fleet_without_revokes("peer-del").await;
    fleet.for_all(async |name| fleet.world.delete(&name).await).await;
    fleet
        .until_all("all are there and say that a revoke is owed", |token| {
            let deleting = condition(token, ConditionType::Ready)
                .is_some_and(|ready| (ready.status, ready.reason) == (ConditionStatus::False, Reason::Deleting));
            deleting && says_owed(token)
        })
        .await;
    until_metric(&operator, OWED, |owed| owed == OBJECTS).await;
    until_metric(&operator, "artifacttoken_objects{ready=\"False\",reason=\"Deleting\"}", |count| count == OBJECTS)
        .await;
    until_events(&fleet).await;
    tokio::time::sleep(OUTAGE).await;
    assert_eq!(metric(&operator, OWED).await, OBJECTS);
    assert_eq!(fleet.world.service.live().await.unwrap().len() as u64, OBJECTS);
    let calls = fleet.world.service.books().await.unwrap().calls.revoke;
    fleet.world.service.clear_faults().await.unwrap();
    let cleared = Instant::now();
    until_gone(&fleet).await;
    let done = cleared.elapsed();
    assert_eq!(fleet.world.service.live().await.unwrap(), []);
    for name in fleet.names() {
        assert!(fleet.world.secret(&format!("{name}-secret")).await.is_none(), "{name}");
    }
    until_metric(&operator, OWED, |owed| owed == 0).await;
    figure(&format!(
        "revokes owed by {OBJECTS} deletions while DELETE answers 500: metric {OBJECTS}, condition and event on each object, \
         which stays, {calls} calls; all dead and gone {:.1} s after it could",
        done.as_secs_f64()
    ));
}

async fn until_gone(fleet: &Fleet) {
    let look = || async {
        let left = fleet.tokens().await;
        if left.is_empty() { Ok(()) } else { Err(format!("{} left, the first: {:#?}", left.len(), left[0].status)) }
    };
    poll("all are gone", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
}

//! The service refuses the operator's own credential, or asks it to wait.
//!
//! Seen elsewhere: both are retried like any other error, with 6 calls an object in half a minute.

use std::time::{Duration, Instant};

use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use chrono::{DateTime, TimeDelta};
use serde_json::json;
use testbed::reference_service::Call;

use crate::fleet::{Fleet, set_flag};
use support::figures::figure;
use support::{World, condition, credential_yaml, is_ready};

const OBJECTS: usize = 10;
/// The first delay of the back-off: longer than the operator takes to find out that the service refuses the credential itself.
const FIRST_RETRY: &str = "5s";
/// How long calls are counted while the credential is refused. An operator that only backs off would call after 5 s again.
const REFUSED: Duration = Duration::from_secs(15);
/// The wait that the service asks for.
const RETRY_AFTER: TimeDelta = TimeDelta::seconds(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_ends_all_calls_until_its_secret_changes() {
    let slow = |options: &mut testbed::operator::Options| set_flag(options, "--first-retry", FIRST_RETRY);
    let (fleet, operator) = Fleet::waiting("peer-401", OBJECTS, slow).await;
    fleet.issue().await;
    let world = &fleet.world;
    world.replace_admin_key("the-next-key").await;
    fleet.rotate("1").await;
    // Some ask before the service object knows, and are refused themselves; the others are held back by it.
    let rejected = |token: &ArtifactToken| {
        is_ready(token) && reason(token, ConditionType::Stalled) == Some(Reason::CredentialRejected)
    };
    fleet.until_all("all say that the credential is refused, and keep their token", rejected).await;
    world.until_service("reference", ConditionType::Stalled, Reason::CredentialRejected).await;
    let until_stopped = fleet.generates().await;
    world.service.reset_calls().await.unwrap();
    fleet.rotate("2").await;
    tokio::time::sleep(REFUSED).await;
    let meanwhile = world.service.books().await.unwrap().calls;
    let (pid, changed) = (operator.pid(), Instant::now());
    world.apply(&credential_yaml("the-next-key")).await;
    fleet.until_all("all are rotated", |token| fleet.has_another(token) && is_ready(token)).await;
    let recovered = changed.elapsed();
    fleet.agrees().await;
    assert_eq!(operator.pid(), pid, "the same process goes on");
    figure(&format!(
        "401 for the operator's credential, {OBJECTS} objects: {until_stopped} generates until it stopped and said so, then \
         {} generates and {} calls of any kind in {} s; all rotated {:.1} s after the Secret changed, without a restart",
        meanwhile.generate,
        meanwhile.generate + meanwhile.verify + meanwhile.list + meanwhile.revoke,
        REFUSED.as_secs(),
        recovered.as_secs_f64()
    ));
    assert!(until_stopped <= OBJECTS as u64, "{until_stopped}: each object may ask once");
    assert_eq!(meanwhile.generate, 0);
    assert_eq!(world.count().await, 2 * OBJECTS, "one token for both requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_objects_wait_as_long_as_the_service_asks() {
    let (fleet, _operator) = Fleet::ready("peer-429", OBJECTS).await;
    let world = &fleet.world;
    let retry_after = RETRY_AFTER.num_seconds().to_string();
    world
        .faults(
            json!([{"operation": "generate", "kind": "Status", "status": 429, "retryAfter": retry_after, "count": 1}]),
        )
        .await;
    let first = fleet.names().next().unwrap();
    world.annotate(&first, ROTATE_REQUESTED_AT, "1").await;
    world.until_reason(&first, ConditionType::RotationFailed, Reason::Throttled).await;
    // From here on, the operator knows the wait. Now the other objects want a token, too.
    fleet.rotate("1").await;
    fleet.until_all("all are rotated", |token| fleet.has_another(token)).await;
    fleet.agrees().await;
    let (inside, next) = after_429(world).await;
    figure(&format!(
        "429 with Retry-After: {retry_after} to one of {OBJECTS} objects: {} calls of the service inside that time by any of \
         them; the next generate after {:.1} s, all rotated",
        inside.len(),
        next.as_seconds_f64()
    ));
    assert_eq!(inside, [], "no call of any kind");
    assert!(next >= RETRY_AFTER, "{next}");
    assert_eq!(fleet.generates().await, OBJECTS as u64 + 1);
}

/// The calls that came in during the wait, and the time from the 429 to the next *generate*.
async fn after_429(world: &World) -> (Vec<Call>, TimeDelta) {
    let log = world.service.books().await.unwrap().log;
    let asked = log.iter().position(|call| call.status == 429).expect("the service asked to wait");
    let time = |call: &Call| DateTime::parse_from_rfc3339(&call.time).unwrap();
    let since = |call: &Call| time(call) - time(&log[asked]);
    let later = &log[asked + 1..];
    let inside = later.iter().filter(|call| since(call) < RETRY_AFTER).cloned().collect();
    let next = later.iter().find(|call| call.operation == "generate").expect("the operator tried again");
    (inside, since(next))
}

fn reason(token: &ArtifactToken, type_: ConditionType) -> Option<Reason> {
    condition(token, type_).map(|condition| condition.reason)
}

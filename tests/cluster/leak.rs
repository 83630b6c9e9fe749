//! A leak: every token that was claimed before it is revoked at once, and replaced (P14).

use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::ledger::Proof;
use artifact_token_operator::api::reason::Reason;
use chrono::{Duration, Utc};
use serde_json::{Value, json};

use crate::ready;
use support::acts::ledger;
use support::figures::figure;
use support::{World, attempt, is_ready};

/// Calls that a limit of 60 a minute allows at once: a quarter of a minute's.
const BURST: usize = 15;

fn time(offset: Duration) -> String {
    (Utc::now() + offset).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Declares that tokens from before this time leaked.
async fn leak(world: &World, before: &str) {
    world.patch("ci", json!({"spec": {"rotation": {"revokeIssuedBefore": before}}})).await;
}

fn replaced(token: &ArtifactToken) -> bool {
    ledger(token).leak.is_some_and(|leak| leak.replaced_time.is_some())
}

/// Seconds for which the Secret held a dead token, by the ledger.
fn dead_seconds(token: &ArtifactToken) -> f64 {
    let leak = ledger(token).leak.expect("a leak is on record");
    let (revoked, replaced) = (leak.revoked_time.expect("revoked"), leak.replaced_time.expect("replaced"));
    replaced.since(revoked).as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaked_token_and_its_predecessor_die_before_the_replacement_is_made_whatever_is_suspended() {
    let (world, _operator, first) = ready("leak").await;
    world.patch("ci", json!({"spec": {"rotation": {"overlap": "1h"}}})).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 2).await;
    let second = world.value("ci-secret", "token").await;
    assert!(world.accepts(&first).await, "its overlap of an hour runs");
    world.patch("ci", json!({"spec": {"suspend": true}})).await;

    leak(&world, &time(Duration::zero())).await;
    let token = world.until("ci", "attempt 3 is current", |token| attempt(token) == 3 && is_ready(token)).await;
    world.agrees("ci", "ci-secret").await;
    assert!(!world.accepts(&first).await && !world.accepts(&second).await);
    let log = world.service.books().await.unwrap().log;
    let place = |operation: &str| log.iter().rposition(|call| call.operation == operation).unwrap();
    assert!(place("revoke") < place("generate"), "revoked first: {log:#?}");
    let proofs = ledger(&token).history.iter().map(|dead| dead.proof).collect::<Vec<_>>();
    assert_eq!(proofs, [Proof::Refused, Proof::Refused], "both were proved dead by a refusal");
    world.until_event("ci", "EmergencyRotationCompleted").await;
    figure(&format!("leak: the Secret held a dead token for {:.2} s", dead_seconds(&token)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leak_to_come_counts_as_one_of_now_and_fires_once() {
    let (world, _operator, first) = ready("leak-later").await;
    leak(&world, &time(Duration::hours(1))).await;
    world.until("ci", "attempt 2 is current", |token| attempt(token) == 2 && replaced(token)).await;
    assert!(!world.accepts(&first).await);
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 3).await;
    let token = world.agrees("ci", "ci-secret").await;
    assert_eq!((attempt(&token), world.count().await), (3, 3), "the same time does not count again");
    leak(&world, &time(Duration::hours(2))).await;
    world.until_attempt("ci", 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leak_time_that_lies_ahead_at_the_service_hides_none_at_the_object_and_the_other_way_round() {
    let (world, _operator, first) = ready("leak-both").await;
    let ahead = time(Duration::days(30));
    world.serve(|spec| spec["revokeIssuedBefore"] = json!(ahead)).await;
    world.until("ci", "attempt 2 is current", |token| attempt(token) == 2 && replaced(token)).await;
    let second = world.value("ci-secret", "token").await;
    leak(&world, &time(Duration::zero())).await;
    world.until("ci", "attempt 3 is current", |token| attempt(token) == 3 && replaced(token)).await;
    assert!(!world.accepts(&first).await && !world.accepts(&second).await);
    // The object's time lies ahead now, and the service's is moved to now.
    leak(&world, &time(Duration::days(60))).await;
    world.until("ci", "attempt 4 is current", |token| attempt(token) == 4 && replaced(token)).await;
    let fourth = world.value("ci-secret", "token").await;
    let now = time(Duration::zero());
    world.serve(|spec| spec["revokeIssuedBefore"] = json!(now)).await;
    world.until("ci", "attempt 5 is current", |token| attempt(token) == 5 && replaced(token)).await;
    assert!(!world.accepts(&fourth).await);
    let token = world.agrees("ci", "ci-secret").await;
    assert_eq!((attempt(&token), world.count().await), (5, 5), "each of the four times fired once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_claimed_after_the_leak_is_left_alone() {
    let (world, _operator, first) = ready("leak-before").await;
    leak(&world, &time(-Duration::hours(1))).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    let token = world.until_attempt("ci", 2).await;
    assert!(ledger(&token).leak.is_none());
    assert!(world.accepts(&first).await, "its overlap was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_replacement_does_not_wait_for_a_revoke_that_fails() {
    let (world, _operator, first) = ready("leak-fails").await;
    world.faults(json!([{"operation": "revoke", "kind": "Status", "status": 500, "when": "Before", "count": 2}])).await;
    leak(&world, &time(Duration::zero())).await;
    world.until("ci", "attempt 2 is current", |token| attempt(token) == 2).await;
    let pending = world.until_reason("ci", ConditionType::RevocationPending, Reason::RevocationFailed).await;
    assert!(pending.message.contains("should be dead"), "{}", pending.message);
    world.agrees("ci", "ci-secret").await;
    assert!(!world.accepts(&first).await, "it was revoked in the end");
}

/// A token of `reference` in its own Secret.
async fn create(world: &World, name: &str) {
    world.create(name, |spec: &mut Value| spec["secret"]["name"] = json!(format!("{name}-secret"))).await;
    world.until_ready(name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leak_at_the_service_is_answered_oldest_first_within_its_rate_limit() {
    let world = World::quick("leak-fleet").await;
    let _operator = world.operator().await;
    let names = ["first", "second", "third", "fourth", "fifth", "sixth"];
    for name in names {
        create(&world, name).await;
    }
    let old: Vec<String> = futures::future::join_all(names.map(|name| world.current_id(name))).await;
    // A quarter of a minute's calls at once: three leaks of five calls each, then one leak every 5 s.
    let before = time(Duration::zero());
    let made = world.service.books().await.unwrap().log.len();
    let begun = std::time::Instant::now();
    world
        .serve(|spec| {
            spec["limits"] = json!({"requestsPerMinute": 60});
            spec["revokeIssuedBefore"] = json!(before);
        })
        .await;
    for name in names {
        world.until(name, "it is replaced", |token| attempt(token) == 2 && replaced(token)).await;
    }
    let spent = begun.elapsed();
    let log = world.service.books().await.unwrap().log;
    let revokes: Vec<&str> =
        log.iter().filter(|call| call.operation == "revoke").filter_map(|call| call.token_id.as_deref()).collect();
    let places: Vec<usize> = revokes.iter().filter_map(|id| old.iter().position(|known| known == id)).collect();
    assert_eq!(places.len(), names.len(), "each was revoked once: {revokes:?}");
    let (mut burst, rest) = (places[..3].to_vec(), places[3..].to_vec());
    burst.sort_unstable();
    assert_eq!((burst, rest), (vec![0, 1, 2], vec![3, 4, 5]), "the oldest first: {places:?}");
    // The calls saved up, and one call a second after that.
    let (calls, most) = (log.len() - made, BURST + spent.as_secs() as usize + 1);
    assert!(calls <= most, "{calls} calls in {spent:?}, at most {most} are allowed");
    let dead = futures::future::join_all(names.map(|name| world.token(name))).await;
    let longest = dead.iter().map(dead_seconds).fold(0.0, f64::max);
    figure(&format!(
        "leak of {} tokens at 60 calls/min: {:.1} s in all, the longest dead token {longest:.2} s",
        names.len(),
        spent.as_secs_f64()
    ));
}

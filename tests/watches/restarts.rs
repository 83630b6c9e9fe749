//! The API server ends and comes back, or is paused, while the operator issues, rotates and revokes tokens.

use std::time::{Duration, Instant};

use serde_json::json;
use testbed::Signal;

use crate::consumers::Consumers;
use crate::own_plane::{OwnPlane, seconds};
use support::figures::figure;
use support::token_yaml;

const ROTATED: [&str; 3] = ["rotated-0", "rotated-1", "rotated-2"];
const NEW: [&str; 3] = ["new-0", "new-1", "new-2"];
const DELETED: [&str; 2] = ["deleted-0", "deleted-1"];
/// How long each call of the service takes, so that several are in flight when the API server ends.
const LATENCY_MILLISECONDS: u64 = 150;
/// Longer than most restarts of the API server, also beside a build, so that no restart makes the operator give up a claim.
const LONG_MARGIN: &str = "15s";
/// What the operator says of a token that it could not publish soon enough after its claim.
const TOO_OLD: &str = "could not be published in time";
/// With this margin, *generate* may take 2 s, a claim must be published within 4 s, and others take it for lost after 5 s.
const SHORT_MARGIN: &str = "1s";
/// Longer than all of these.
const OUTAGE: Duration = Duration::from_secs(9);
/// Longer than the 30 s that the operator waits for an answer of the API server.
const LONG_PAUSE: Duration = Duration::from_secs(34);

/// In three rounds, the API server ends at the first generate, verify or revoke that the requests of the round cause.
async fn check(prefix: &str, in_good_order: bool) {
    let mut own_plane = OwnPlane::start(prefix).await;
    let operator = own_plane.operator(LONG_MARGIN).await;
    for name in ROTATED.iter().chain(&DELETED) {
        own_plane.world.apply(&token_yaml(name)).await;
    }
    own_plane.ready(&[ROTATED.as_slice(), &DELETED].concat()).await;
    let consumers = Consumers::start(&own_plane.world, &ROTATED);
    let latency = json!([{"operation": "any", "kind": "Latency", "milliseconds": LATENCY_MILLISECONDS}]);
    own_plane.world.faults(latency).await;
    let began = Instant::now();
    for (round, name) in NEW.iter().enumerate() {
        own_plane.world.service.reset_calls().await.unwrap();
        own_plane.rotate(&ROTATED, &round.to_string()).await;
        own_plane.world.apply(&token_yaml(name)).await;
        if round == 1 {
            for name in DELETED {
                own_plane.world.delete(name).await;
            }
        }
        match round {
            0 => own_plane.until_calls("the first generate", |calls| calls.generate > 0).await,
            1 => own_plane.until_calls("the first verify", |calls| calls.verify > 0).await,
            _ => own_plane.until_calls("the first revoke", |calls| calls.revoke > 0).await,
        }
        own_plane.plane().end_api_server(in_good_order).await.unwrap();
        own_plane.plane().start_api_server().await.unwrap();
    }
    own_plane.fulfilled(&ROTATED, "2").await;
    for name in ROTATED.iter().chain(&NEW) {
        assert!(!own_plane.rests(name).await, "{name} has no identity conflict");
    }
    for name in DELETED {
        own_plane.world.until_gone(name).await;
    }
    own_plane.world.service.clear_faults().await.unwrap();
    let (made, live) = (own_plane.world.count().await, own_plane.world.service.live().await.unwrap().len());
    let tally = consumers.end().await;
    assert_eq!(live, ROTATED.len() + NEW.len());
    // One token for each object and one for each request: an outage makes none. But if the outcome of the create of a first Secret is
    // unknown, the operator does not send it again, because a person may have deleted the Secret since; it makes another token. And on a busy
    // machine an outage may last until a token is too old to be published, which the operator says.
    let needed = ROTATED.len() * (1 + NEW.len()) + NEW.len() + DELETED.len();
    let log = operator.log();
    let too_old = log.lines().filter(|line| line.contains("controller::events") && line.contains(TOO_OLD)).count();
    let most = needed + NEW.len() + too_old;
    assert!(made <= most, "{made} tokens were made, {needed} were needed, {most} are allowed");
    own_plane.is_quiet(0).await;
    figure(&format!(
        "API server {prefix} 3 times under {} objects: at rest after {}; {made} generates where {needed} were needed, {live} live; \
         consumers: {} uses accepted, 0 rejected, {} stale",
        ROTATED.len() + NEW.len() + DELETED.len(),
        seconds(began),
        tally.accepted,
        tally.stale,
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_restarted_loses_no_token_and_costs_none() {
    check("restarted", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_killed_loses_no_token_and_costs_none() {
    check("killed", false).await;
}

/// When the API server is back, every deadline is over: the claim is late, but no token that somebody needs was revoked.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_goes_on_after_an_api_server_that_was_away_for_longer_than_every_wait() {
    let mut own_plane = OwnPlane::start("away").await;
    let _operator = own_plane.operator(SHORT_MARGIN).await;
    own_plane.world.apply(&token_yaml("ci")).await;
    own_plane.ready(&["ci"]).await;
    let consumers = Consumers::start(&own_plane.world, &["ci"]);
    let slow = json!([{"operation": "generate", "kind": "Latency", "milliseconds": 1000}]);
    own_plane.world.faults(slow).await;
    for (number, away) in ["ended", "paused"].iter().enumerate() {
        let (began, made) = (Instant::now(), own_plane.world.count().await);
        own_plane.world.service.reset_calls().await.unwrap();
        own_plane.rotate(&["ci"], away).await;
        own_plane.until_calls("generate is under way", |calls| calls.generate > 0).await;
        if number == 0 {
            own_plane.plane().end_api_server(false).await.unwrap();
            tokio::time::sleep(OUTAGE).await;
            own_plane.plane().start_api_server().await.unwrap();
        } else {
            own_plane.plane().api_server().signal(Signal::Pause).unwrap();
            tokio::time::sleep(OUTAGE).await;
            own_plane.plane().api_server().signal(Signal::Resume).unwrap();
        }
        own_plane.fulfilled(&["ci"], away).await;
        assert!(!own_plane.rests("ci").await);
        let made = own_plane.world.count().await - made;
        assert!((1..=2).contains(&made), "{made} tokens were made for one rotation and one outage");
        figure(&format!(
            "API server {away} for {OUTAGE:?} in mid-rotation: {made} generates, at rest after {}",
            seconds(began)
        ));
    }
    let tally = consumers.end().await;
    own_plane.is_quiet(0).await;
    figure(&format!("consumers through both: {} uses accepted, 0 rejected, {} stale", tally.accepted, tally.stale));
}

/// The operator sends the publish to a paused API server and gives it up without an answer. It lands when the API server goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_lands_after_its_process_gave_it_up_harms_nobody() {
    let mut own_plane = OwnPlane::start("late").await;
    let _operator = own_plane.operator(SHORT_MARGIN).await;
    own_plane.world.apply(&token_yaml("ci")).await;
    own_plane.ready(&["ci"]).await;
    let consumers = Consumers::start(&own_plane.world, &["ci"]);
    let (began, made) = (Instant::now(), own_plane.world.count().await);
    own_plane.world.service.reset_calls().await.unwrap();
    let slow = json!([{"operation": "verify", "kind": "Latency", "milliseconds": 700, "when": "After", "count": 1}]);
    own_plane.world.faults(slow).await;
    let before = own_plane.world.value("ci-secret", "token").await;
    own_plane.rotate(&["ci"], "1").await;
    own_plane.until_calls("a generate", |calls| calls.generate > 0).await;
    own_plane.plane().api_server().signal(Signal::Pause).unwrap();
    tokio::time::sleep(LONG_PAUSE).await;
    own_plane.plane().api_server().signal(Signal::Resume).unwrap();
    own_plane.fulfilled(&["ci"], "1").await;
    assert!(!own_plane.rests("ci").await);
    let made = own_plane.world.count().await - made;
    assert!((1..=2).contains(&made), "{made} tokens were made for one rotation and one outage");
    assert_ne!(own_plane.world.value("ci-secret", "token").await, before);
    let tally = consumers.end().await;
    own_plane.is_quiet(0).await;
    figure(&format!(
        "API server paused for {LONG_PAUSE:?} at a publish: {made} generates, at rest after {}; consumers: {} uses accepted, 0 \
         rejected, {} stale",
        seconds(began),
        tally.accepted,
        tally.stale,
    ));
}

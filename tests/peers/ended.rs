//! The operator ends in the middle of its work.
//!
//! Seen elsewhere: 14 of 15 tokens are generated a second time after a graceful end, and 5 kills in bursts of 200 objects leave
//! 11 tokens that nobody knows, and 36 that are in no Secret.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::poll;

use crate::fleet::Fleet;
use support::figures::figure;
use support::{DEADLINE, is_ready};

/// Rotations in flight at the SIGTERM.
const IN_FLIGHT: usize = 15;
/// How long the service takes to answer *generate* during that.
const LATENCY_MILLISECONDS: u64 = 1500;
/// How long the operator may take to finish the rotations.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn rotations_in_flight_at_a_sigterm_are_finished_and_none_is_done_twice() {
    let (fleet, mut operator) = Fleet::ready("peer-term", IN_FLIGHT).await;
    let latency =
        json!({"operation": "generate", "kind": "Latency", "milliseconds": LATENCY_MILLISECONDS, "when": "After"});
    fleet.world.faults(json!([latency])).await;
    fleet.rotate("1").await;
    until_generates(&fleet, IN_FLIGHT as u64).await;
    let asked = Instant::now();
    let status = operator.stop(STOPS_WITHIN).await.unwrap();
    let stopped = asked.elapsed();
    assert!(status.success(), "{status}");
    let finished = fleet.tokens().await.iter().filter(|token| fleet.has_another(token) && is_ready(token)).count();
    fleet.world.service.clear_faults().await.unwrap();
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    fleet.until_all("all are rotated", |token| fleet.has_another(token) && is_ready(token)).await;
    fleet.agrees().await;
    let second = fleet.generates().await - IN_FLIGHT as u64;
    figure(&format!(
        "SIGTERM with {IN_FLIGHT} rotations in flight: {finished} finished before the process ended ({:.1} s), {second} second \
         generates after the restart",
        stopped.as_secs_f64()
    ));
    assert_eq!(second, 0);
    assert_eq!(fleet.world.count().await, 2 * IN_FLIGHT);
}

/// Objects of one burst.
const BURST: usize = 200;
/// The number of *generate* calls after which the operator is killed, and the milliseconds that the service takes between making a
/// token and answering.
const KILLS: [(u64, u64); 5] = [(30, 0), (60, 0), (90, 50), (120, 50), (160, 50)];

#[tokio::test(flavor = "multi_thread")]
async fn five_kills_in_bursts_of_first_issues_leave_no_token_that_is_in_no_secret() {
    let mut made = 0;
    for (round, (kill_at, latency)) in KILLS.into_iter().enumerate() {
        made += burst(round + 1, kill_at, latency).await;
    }
    let wanted = BURST * KILLS.len();
    figure(&format!(
        "{} kills in bursts of {BURST} first issues: {made} tokens made for {wanted} objects, {} revoked, 0 orphans, 0 in no Secret",
        KILLS.len(),
        made - wanted
    ));
}

/// One burst with one kill in it; returns the number of tokens made. The rate limit does not delay it: of 6000 calls a minute,
/// 1500 may go out at once, and 200 first issues reserve 600.
async fn burst(round: usize, kill_at: u64, latency: u64) -> usize {
    let (fleet, mut operator) = Fleet::waiting("peer-kill", BURST, |_| {}).await;
    fleet.world.service.reset_calls().await.unwrap();
    fleet.world.faults(faults(latency)).await;
    let began = Instant::now();
    let (killed, ()) = tokio::join!(
        async {
            until_generates(&fleet, kill_at).await;
            operator.kill();
            fleet.generates().await
        },
        fleet.create()
    );
    let done = fleet.tokens().await.iter().filter(|token| is_ready(token)).count();
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    let restarted = Instant::now();
    fleet.until_all("all are Ready", is_ready).await;
    let recovered = restarted.elapsed();
    fleet.agrees().await;
    let made = fleet.world.count().await;
    figure(&format!(
        "kill {round} after {killed} generates ({done} objects done, {latency} ms to answer): {made} tokens made for {BURST} \
         objects; {BURST} live, in their Secrets and their ledgers; all Ready {:.1} s after the restart, at rest in {:.1} s in all",
        recovered.as_secs_f64(),
        began.elapsed().as_secs_f64()
    ));
    // The kill loses at most the attempts that were in flight at that moment.
    assert!(made <= 2 * BURST, "{made} tokens for {BURST} objects");
    made
}

fn faults(latency: u64) -> Value {
    match latency {
        0 => json!([]),
        milliseconds => {
            json!([{"operation": "generate", "kind": "Latency", "milliseconds": milliseconds, "when": "After"}])
        }
    }
}

/// Waits until the service got at least `min` calls of *generate*.
async fn until_generates(fleet: &Fleet, min: u64) {
    let look = || async {
        let asked = fleet.generates().await;
        if asked >= min { Ok(()) } else { Err(format!("{asked} generates")) }
    };
    poll("the service is asked", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
}

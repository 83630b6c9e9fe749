//! The operator is killed. In the end one token lives, whatever the operator was doing.

use std::time::Duration;

use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::time::Time;
use serde_json::json;

use crate::ready;
use support::acts::ledger;
use support::{World, attempt, token_yaml};

/// How long each call of the service takes, so that most kills hit one.
const LATENCY_MILLISECONDS: u64 = 120;
/// Longer than three restarts take.
const OVERLAP: Duration = Duration::from_secs(24);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_operator_leaves_one_token_whenever_it_was_killed() {
    let (world, mut operator, _) = ready("killed").await;
    world.faults(json!([{"operation": "any", "kind": "Latency", "milliseconds": LATENCY_MILLISECONDS}])).await;
    let kills: usize = 4;
    // A random number; a failing test prints it.
    let seed = u64::try_from(Time::from(chrono::Utc::now()).as_millis()).unwrap();
    for kill in 0..kills {
        let after = seed / 7u64.pow(u32::try_from(kill).unwrap()) % 700;
        println!("kill {kill} after {after} ms");
        world.annotate("ci", ROTATE_REQUESTED_AT, &kill.to_string()).await;
        tokio::time::sleep(Duration::from_millis(after)).await;
        operator.kill();
        operator.restart().unwrap();
        operator.ready().await.unwrap();
    }
    world.until("ci", "a replacement is current", |token| attempt(token) > 1).await;
    world.service.clear_faults().await.unwrap();
    world
        .until("ci", "the last request is fulfilled", |token| {
            let handled = ledger(token).handled_requests.rotate;
            handled == Some((kills - 1).to_string())
        })
        .await;
    world.agrees("ci", "ci-secret").await;
    // One token for each request, and one more for each kill.
    assert!(world.count().await <= 1 + 2 * kills, "{:#?}", world.made().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlap_goes_on_through_a_restart_and_does_not_begin_again() {
    let world = World::quick("overlap").await;
    let mut operator = world.operator().await;
    let overlap = format!("{}s", OVERLAP.as_secs());
    world.create("ci", |spec| spec["rotation"]["overlap"] = json!(overlap)).await;
    world.until_ready("ci").await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    let verified = ledger(&world.until_attempt("ci", 2).await).current.expect("a token").verified_time;
    let most_is_over = || {
        let passed = Time::from(chrono::Utc::now()).since(verified);
        std::future::ready(if passed >= OVERLAP * 2 / 3 { Ok(()) } else { Err(format!("{passed:?}")) })
    };
    testbed::poll("most of the overlap is over", support::DEADLINE, most_is_over).await.unwrap();
    assert_eq!(world.service.live().await.unwrap().len(), 2, "the old token lives in its overlap");
    let restarted = Time::from(chrono::Utc::now());
    operator.restart().unwrap();
    let ended = |token: &ArtifactToken| ledger(token).history.iter().any(|dead| dead.attempt == 1);
    let history = ledger(&world.until("ci", "the old token is dead", ended).await).history;
    let revoked = history[0].revoked_time;
    assert!(revoked.since(verified) >= OVERLAP, "verified {verified}, revoked {revoked}");
    assert!(revoked < restarted.plus(OVERLAP), "restarted {restarted}, revoked {revoked}: it began again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_killed_in_its_first_issue_leaves_one_token() {
    let world = World::quick("issue").await;
    world
        .faults(json!([{"operation": "generate", "kind": "Latency", "milliseconds": 400, "when": "After", "count": 1}]))
        .await;
    let mut operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    let look = || async { if world.count().await == 1 { Ok(()) } else { Err("no token yet".to_owned()) } };
    testbed::poll("the service made a token", support::DEADLINE, look).await.unwrap();
    operator.kill();
    operator.restart().unwrap();
    world.until_ready("ci").await;
    world.agrees("ci", "ci-secret").await;
    assert_eq!(world.count().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_asked_to_stop_finishes_what_it_began() {
    let (world, mut operator, first) = ready("stop").await;
    world.faults(json!([{"operation": "generate", "kind": "Latency", "milliseconds": 800, "count": 1}])).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world
        .until("ci", "attempt 2 is claimed", |token| {
            support::acts::ledger(token).claim.is_some_and(|claim| claim.attempt == 2)
        })
        .await;
    assert!(operator.stop(Duration::from_secs(30)).await.unwrap().success());
    assert_eq!(attempt(&world.token("ci").await), 2, "the pass ran to its end");
    assert!(world.accepts(&first).await, "its overlap is not over");
    operator.restart().unwrap();
    world.agrees("ci", "ci-secret").await;
    assert_eq!(world.count().await, 2);
}

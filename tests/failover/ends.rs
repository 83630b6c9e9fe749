//! The leader is asked to end, or killed.

use std::time::{Duration, Instant};

use support::figures::figure;
use testbed::fault_proxy::{Fault, Side};

use crate::pair::{DEADLINE, LOOK, Pair};

/// What the issue of a leader that ends in good order may cost.
const AT_TERM: Duration = Duration::from_millis(500);
/// The lease, and half a second for the watch and the write.
const AT_KILL: Duration = Duration::from_millis(15_500);
/// How often each is tried.
const TERMS: usize = 6;
const KILLS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_is_asked_to_end_the_standby_leads_within_half_a_second() {
    let mut pair = Pair::start("term").await;
    let mut gaps = Vec::new();
    for round in 1..=TERMS {
        let (leader, before) = (pair.leader(), pair.holder());
        let asked = Instant::now();
        assert!(pair.operators[leader].stop(DEADLINE).await.unwrap().success());
        // It may have ended up to one look before.
        let ended = Instant::now() - LOOK;
        let held = pair.until_held_after(Some(&before)).await;
        gaps.push((held.at.saturating_duration_since(ended), held.at.saturating_duration_since(asked)));
        let request = format!("after-term-{round}");
        pair.request(&request).await;
        pair.until_rotated(&request).await;
        pair.operators[leader].restart().unwrap();
        pair.operators[leader].ready().await.unwrap();
    }
    let generates = pair.generates().await;
    let list = |pick: fn(&(Duration, Duration)) -> Duration| {
        gaps.iter().map(|gap| format!("{:.3}", pick(gap).as_secs_f64())).collect::<Vec<_>>().join(" ")
    };
    figure(&format!(
        "failover at SIGTERM: nobody led for {} s; from the signal {} s",
        list(|gap| gap.0),
        list(|gap| gap.1)
    ));
    figure(&format!("failover at SIGTERM: {generates} generates for {} tokens", TERMS + 1));
    assert!(gaps.iter().all(|gap| gap.0 <= AT_TERM), "at most {AT_TERM:?}: {gaps:?}; {:?}", pair.holders());
    assert_eq!(generates, 1 + TERMS as u64, "one for each token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_asked_to_end_in_the_middle_of_a_rotation_ends_its_calls_first() {
    let mut pair = Pair::start("midst").await;
    let (leader, before) = (pair.leader(), pair.holder());
    let slow =
        |request: &testbed::fault_proxy::Request| request.call.side == Side::Service && request.call.method == "POST";
    let planned = pair.proxy.once(1, Fault::Delay(Duration::from_secs(2)), slow);
    pair.request("midst").await;
    planned.until_struck(DEADLINE).await.unwrap();
    assert!(pair.operators[leader].stop(DEADLINE).await.unwrap().success());
    let ended = Instant::now() - LOOK;
    let gap = pair.until_held_after(Some(&before)).await.at.saturating_duration_since(ended);
    pair.until_rotated("midst").await;
    let generates = pair.generates().await;
    figure(&format!(
        "failover at SIGTERM in a rotation: nobody led for {:.3} s, {generates} generates for 2 tokens",
        gap.as_secs_f64()
    ));
    assert!(gap <= AT_TERM, "{gap:?}");
    assert_eq!(generates, 2);
    let released = pair.holders();
    assert_eq!(released.get(1).map(String::as_str), Some(""), "it let go of the Lease at its end: {released:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_leader_is_killed_the_standby_leads_once_the_lease_is_over() {
    let mut pair = Pair::start("kill").await;
    let mut gaps = Vec::new();
    for round in 1..=KILLS {
        let (leader, before) = (pair.leader(), pair.holder());
        // Its last renewal is at another age each time.
        tokio::time::sleep(Duration::from_millis(1_100 * round as u64)).await;
        pair.operators[leader].kill();
        let killed = Instant::now();
        let request = format!("after-kill-{round}");
        pair.request(&request).await;
        let held = pair.until_held_after(Some(&before)).await;
        gaps.push(held.at.saturating_duration_since(killed));
        pair.until_rotated(&request).await;
        pair.operators[leader].restart().unwrap();
        pair.operators[leader].ready().await.unwrap();
    }
    let generates = pair.generates().await;
    let list = gaps.iter().map(|gap| format!("{:.3}", gap.as_secs_f64())).collect::<Vec<_>>().join(" ");
    figure(&format!("failover at kill -9: nobody led for {list} s; {generates} generates for {} tokens", KILLS + 1));
    assert!(gaps.iter().all(|gap| *gap <= AT_KILL), "at most {AT_KILL:?}: {gaps:?}; {:?}", pair.holders());
    // A lease that is taken earlier may still be held.
    let least = Duration::from_secs(9);
    assert!(gaps.iter().all(|gap| *gap >= least), "a renewal is at most 5 s old when its leader is killed: {gaps:?}");
    assert_eq!(generates, 1 + KILLS as u64, "one for each token");
}

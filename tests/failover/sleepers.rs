//! The leader sleeps past its lease, at each call of a rotation, and wakes up beside its successor.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use support::figures::figure;
use testbed::fault_proxy::{Call, Fault, Request};

use crate::pair::{DEADLINE, Pair};

/// Longer than a lease: by then another one leads. Shorter than `claimSettle`, so that nobody gives the sleeper's attempt up.
const PAST_THE_LEASE: Duration = Duration::from_secs(18);
/// Pairs side by side. They mostly wait.
const PAIRS: usize = 5;

/// What became of one sleep.
struct Report {
    call: String,
    generates: u64,
    holders: usize,
    struck: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_sleeps_past_its_lease_at_any_call_of_a_rotation_costs_no_second_token() {
    let calls = calls_of_a_rotation().await;
    assert!(calls.iter().any(|call| call.0.contains("POST /v1/tokens")), "{calls:?}");
    let slept = calls.iter().cloned().map(|(call, nth)| sleep_at(call, nth));
    let reports: Vec<Report> = stream::iter(slept).buffer_unordered(PAIRS).collect().await;
    let (struck, twice) = (
        reports.iter().filter(|report| report.struck).count(),
        reports.iter().filter(|report| report.generates != 2).count(),
    );
    for report in &reports {
        let Report { call, generates, holders, struck } = report;
        println!("slept before {call}: {struck}; {generates} generates, {holders} holders");
    }
    figure(&format!(
        "failover at SIGSTOP: {} calls of a rotation, a leader slept past its lease before {struck} of them; {twice} double generates",
        calls.len()
    ));
    assert_eq!(struck, calls.len(), "each call came");
    assert_eq!(twice, 0, "issue and rotation ask for one token each");
    assert!(reports.iter().all(|report| report.holders >= 2), "the standby led meanwhile");
}

/// The calls that the leader makes for a rotation, and which of its kind each is.
async fn calls_of_a_rotation() -> Vec<(String, u32)> {
    let pair = Pair::start("rotation").await;
    let before = pair.proxy.calls().len();
    pair.request("reference").await;
    pair.until_rotated("reference").await;
    let mut sites: Vec<(String, u32)> = Vec::new();
    for call in pair.proxy.calls()[before..].iter().filter(|call| concerns_tokens(call)) {
        let signature = signature(call, &pair.world.namespace);
        let nth = sites.iter().filter(|(known, _)| *known == signature).count();
        sites.push((signature, u32::try_from(nth).unwrap() + 1));
    }
    sites
}

async fn sleep_at(wanted: String, nth: u32) -> Report {
    let pair = Pair::start("sleep").await;
    let (pid, namespace) = (pair.operators[pair.leader()].pid(), pair.world.namespace.clone());
    let (before, call) = (pair.holder(), wanted.clone());
    let planned = pair.proxy.once(nth, Fault::StopBefore(PAST_THE_LEASE), move |request: &Request| {
        let call = &request.call;
        call.pid == Some(pid) && concerns_tokens(call) && signature(call, &namespace) == wanted
    });
    pair.request("sleep").await;
    let struck = planned.until_struck(DEADLINE).await.is_ok();
    pair.until_held_after(Some(&before)).await;
    // The sleeper answers again, and what it still had to do is done.
    let look = || async {
        let calls = pair.proxy.calls();
        let answered = |struck: &Call| calls.iter().any(|call| call.number == struck.number && call.status.is_some());
        if planned.struck().iter().all(answered) { Ok(()) } else { Err("it sleeps".to_owned()) }
    };
    testbed::poll("the sleeper wakes up", DEADLINE, look).await.unwrap_or_else(|error| panic!("{call}: {error:#}"));
    pair.until_rotated("sleep").await;
    let holders = pair.holders().iter().filter(|holder| !holder.is_empty()).count();
    Report { call: format!("{call} (no. {nth})"), generates: pair.generates().await, holders, struck }
}

/// A call that changes or reads an object or asks the service. Those about the Lease come at any time.
fn concerns_tokens(call: &Call) -> bool {
    call.is_step() && call.resource() != "leases"
}

/// The call, without the parts that differ from world to world.
fn signature(call: &Call, namespace: &str) -> String {
    let route = call.route().replace(namespace, "NS");
    let route = route.find("tok_").map_or(route.clone(), |id| format!("{}ID", &route[..id]));
    let dry = if call.path.contains("dryRun") { " (dry run)" } else { "" };
    format!("{} {route}{dry}", call.method)
}

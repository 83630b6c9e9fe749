//! What a standby says of itself, and an operator that may not write the Lease.

use std::time::{Duration, Instant};

use support::figures::figure;
use support::{World, credential_yaml, service_yaml, token_yaml};
use testbed::control_plane::Options;
use testbed::fault_proxy::{Fault, Request};
use testbed::{FaultProxy, Operator, poll};

use crate::pair::{DEADLINE, Pair, options};

/// How long so many requests about a Lease take that is refused: those of its watch, which begins anew after growing pauses, and a try each two
/// seconds.
const TRIES: usize = 12;
const SPAN: std::ops::RangeInclusive<Duration> = Duration::from_secs(6)..=Duration::from_secs(40);

async fn page(operator: &Operator, path: &str) -> (u16, String) {
    let url = format!("http://{}{path}", operator.admin_address());
    let answer = testbed::http::client().unwrap().get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn leads(operator: &Operator) -> String {
    let (_, metrics) = page(operator, "/metrics").await;
    metrics.lines().filter(|line| line.starts_with("artifacttoken_leader ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_ready_and_alive_and_says_that_it_does_not_lead() {
    let pair = Pair::start("standby").await;
    let (leader, standby) = (pair.leader(), 1 - pair.leader());
    assert_eq!(leads(&pair.operators[leader]).await, "artifacttoken_leader 1");
    assert_eq!(leads(&pair.operators[standby]).await, "artifacttoken_leader 0");
    for operator in &pair.operators {
        assert_eq!(page(operator, "/readyz").await, (200, "ok".to_owned()));
        let (status, parts) = page(operator, "/readyz?verbose").await;
        assert_eq!(status, 200);
        for cache in ["artifacttokens", "secrets", "hand-over secrets"] {
            assert!(parts.contains(&format!("[+]{cache} in {} ok\n", pair.world.namespace)), "{parts}");
        }
        assert!(parts.contains("[+]lease ok\n") && parts.contains("[+]services ok\n"), "{parts}");
        let (status, parts) = page(operator, "/healthz?verbose").await;
        assert!(status == 200 && parts.contains("[+]election ok\n"), "{parts}");
    }
    let (status, passes) = page(&pair.operators[standby], "/metrics").await;
    let of_tokens = "artifacttoken_reconcile_total{controller=\"artifacttoken\"";
    let passes: Vec<_> = passes.lines().filter(|line| line.starts_with(of_tokens)).collect();
    assert!(status == 200 && passes.len() == 2, "{passes:?}");
    assert!(passes.iter().all(|line| line.ends_with(" 0")), "it began no pass: {passes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_refuses_leases_is_told_where_people_look_and_is_not_asked_again_and_again() {
    let world = World::with("refused", Options { audit: false, ..Options::default() }).await;
    let proxy = FaultProxy::start(&world.plane, Some(&world.service.base_url())).await.unwrap();
    let forbidden = Fault::status(403, "Forbidden");
    let planned = proxy.always(forbidden, |request: &Request| request.call.path.contains("/leases"));
    let operator = Operator::launch(options(&world, &proxy)).unwrap();
    let look = || async {
        let address = operator.admin_address();
        let Ok(answer) = testbed::http::client().unwrap().get(format!("http://{address}/readyz")).send().await else {
            return Err("no answer".to_owned());
        };
        let (status, parts) = (answer.status().as_u16(), answer.text().await.unwrap_or_default());
        let lease = format!("[-]lease failed: get of the Lease {}/artifact-token-operator: 403", world.namespace);
        let others = parts.matches("[-]").count() == 1;
        if status == 503 && parts.contains(&lease) && others { Ok(()) } else { Err(parts) }
    };
    poll("/readyz blames the Lease alone", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
    let (before, begun) = (planned.struck().len(), Instant::now());
    let look = || async {
        let asked = planned.struck().len() - before;
        if asked >= TRIES { Ok(()) } else { Err(format!("{asked} times")) }
    };
    poll("it is asked again", DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"));
    let span = begun.elapsed();
    figure(&format!("an API server that refuses Leases is asked {TRIES} times in {:.1} s", span.as_secs_f64()));
    assert!(SPAN.contains(&span), "{TRIES} times in {span:?}");
    assert_eq!(page(&operator, "/healthz").await, (200, "ok".to_owned()), "a refusal is no stuck loop");
    assert_eq!(leads(&operator).await, "artifacttoken_leader 0");
    let log = operator.log();
    assert!(log.contains("get, list, watch, create and update of leases.coordination.k8s.io"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    planned.withdraw();
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world.apply(&service_yaml("reference", &proxy.service_url().unwrap())).await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
}

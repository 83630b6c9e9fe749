//! A proxy between the operator and its API server refuses watches, drops events or sends them twice, and turns requests away.

use std::time::{Duration, Instant};

use artifact_token_operator::api::artifact_token::ROTATE_REQUESTED_AT;
use serde_json::{Value, json};
use testbed::fault_proxy::{EventFault, Fault, Kind, Planned, Side};
use testbed::{FaultProxy, Operator};

use crate::consumers::Consumers;
use crate::own_plane::{DEADLINE, OwnPlane, seconds};
use support::figures::figure;
use support::{attempt, token_yaml};

/// The resources that the operator watches as a whole.
const WATCHED: [&str; 3] = ["artifacttokens", "secrets", "tokenservices"];
/// Events that come twice: more than a rotation makes.
const DOUBLED: u32 = 40;
/// A rotation makes at least so many events: the request, four records, the Secret.
const MIN_DOUBLED: usize = 5;
/// How long the proxy turns requests away.
const TURNED_AWAY: Duration = Duration::from_secs(6);
/// Requests that the proxy may turn away in that time: the object's passes, every 2 s, and an event about each failed write.
const MAX_TURNED_AWAY: usize = 20;

/// A control plane, and a proxy for its operator.
async fn start(prefix: &str) -> (OwnPlane, FaultProxy) {
    let own_plane = OwnPlane::start(prefix).await;
    let proxy = FaultProxy::start(&own_plane.world.plane, None).await.unwrap();
    (own_plane, proxy)
}

async fn operator(own_plane: &OwnPlane, proxy: &FaultProxy) -> Operator {
    let mut options = own_plane.options("8s");
    options.kubeconfig = proxy.kubeconfig();
    Operator::start(options).await.expect("start the operator")
}

fn is_about(event: &Value, name: &str) -> bool {
    event["object"]["metadata"]["name"] == name
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_refused_as_gone_begins_anew_with_a_list() {
    let (own_plane, proxy) = start("gone").await;
    let gone = WATCHED.map(|resource| {
        let wanted = move |call: &testbed::fault_proxy::Request| {
            call.call.kind == Kind::Watch
                && call.call.resource() == resource
                && !call.call.path.contains("fieldSelector")
        };
        proxy.once(1, Fault::status(410, "Expired"), wanted)
    });
    let _operator = operator(&own_plane, &proxy).await;
    own_plane.world.apply(&token_yaml("ci")).await;
    for planned in &gone {
        planned.until_struck(DEADLINE).await.unwrap();
    }
    let began = Instant::now();
    own_plane.ready(&["ci"]).await;
    own_plane.rotate(&["ci"], "1").await;
    own_plane.fulfilled(&["ci"], "1").await;
    own_plane.world.delete_secret("ci-secret").await;
    own_plane.until("ci", "the deleted Secret is replaced", |token| attempt(token) > 2).await;
    assert!(!own_plane.rests("ci").await);
    assert_eq!(own_plane.world.count().await, 3);
    figure(&format!(
        "{} watches refused with 410: all of them saw what came later, at rest after {}",
        gone.len(),
        seconds(began)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_doubled_or_dropped_cost_no_token_and_lose_none() {
    let (own_plane, proxy) = start("events").await;
    let _operator = operator(&own_plane, &proxy).await;
    own_plane.world.apply(&token_yaml("ci")).await;
    own_plane.ready(&["ci"]).await;
    let consumers = Consumers::start(&own_plane.world, &["ci"]);
    let doubles: Vec<_> = (1..=DOUBLED)
        .map(|nth| {
            proxy.on_event(nth, EventFault::Double, |event| is_about(event, "ci") || is_about(event, "ci-secret"))
        })
        .collect();
    own_plane.rotate(&["ci"], "1").await;
    own_plane.fulfilled(&["ci"], "1").await;
    assert!(!own_plane.rests("ci").await);
    doubles.iter().for_each(Planned::withdraw);
    let doubled = doubles.iter().filter(|double| !double.struck().is_empty()).count();
    assert!(doubled >= MIN_DOUBLED, "{doubled} events of a rotation came twice");
    // The operator does not see the request and the event of its own publish, until another event comes.
    let request =
        |event: &Value| is_about(event, "ci") && event["object"]["metadata"]["annotations"][ROTATE_REQUESTED_AT] == "2";
    let (unseen, published) = (
        proxy.on_event(1, EventFault::Drop, request),
        proxy.on_event(1, EventFault::Drop, |event| is_about(event, "ci-secret")),
    );
    own_plane.rotate(&["ci"], "2").await;
    unseen.until_struck(DEADLINE).await.unwrap();
    own_plane.world.patch("ci", json!({"metadata": {"labels": {"seen": "now"}}})).await;
    own_plane.fulfilled(&["ci"], "2").await;
    published.until_struck(DEADLINE).await.unwrap();
    assert!(!own_plane.rests("ci").await);
    assert_eq!(own_plane.world.count().await, 3);
    let tally = consumers.end().await;
    figure(&format!(
        "{doubled} events doubled in one rotation, 2 dropped in another: 2 generates; consumers: {} uses accepted, 0 rejected",
        tally.accepted
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_turns_requests_away_is_not_flooded() {
    let (own_plane, proxy) = start("busy").await;
    let _operator = operator(&own_plane, &proxy).await;
    own_plane.world.apply(&token_yaml("ci")).await;
    own_plane.ready(&["ci"]).await;
    let consumers = Consumers::start(&own_plane.world, &["ci"]);
    for (code, reason) in [(429, "TooManyRequests"), (503, "ServiceUnavailable")] {
        let (began, made) = (Instant::now(), own_plane.world.count().await);
        let busy = proxy.always(Fault::status(code, reason), |request| {
            request.call.side == Side::Api && request.call.kind != Kind::Watch
        });
        own_plane.rotate(&["ci"], reason).await;
        busy.until_struck(DEADLINE).await.unwrap();
        tokio::time::sleep(TURNED_AWAY).await;
        busy.withdraw();
        own_plane.fulfilled(&["ci"], reason).await;
        assert!(!own_plane.rests("ci").await);
        let (struck, made) = (busy.struck().len(), own_plane.world.count().await - made);
        assert!(struck <= MAX_TURNED_AWAY, "{struck} requests in {TURNED_AWAY:?}: {:#?}", busy.struck());
        assert_eq!(made, 1);
        figure(&format!(
            "API server answers {code} for {TURNED_AWAY:?}: {struck} requests, {made} generate, at rest after {}",
            seconds(began)
        ));
    }
    let tally = consumers.end().await;
    figure(&format!("consumers of a busy API server: {} uses accepted, 0 rejected", tally.accepted));
}

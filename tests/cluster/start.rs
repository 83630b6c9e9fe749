//! The operator starts, whatever answer of the API server is lost, and whatever a tenant wrote into a service object.

use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use kube::api::DeleteParams;
use serde_json::json;
use testbed::fault_proxy::{Fault, Kind, Request, Side};
use testbed::{FaultProxy, Operator, poll};

use support::objects::token_service;
use support::{DEADLINE, World, token_yaml};

/// A start makes fewer calls before it is ready: lists of services, reads of their Secrets, the lists of the watches.
const CALLS: u32 = 8;

async fn proxied(world: &World) -> (FaultProxy, Operator) {
    let proxy = FaultProxy::start(&world.plane, None).await.expect("start a proxy");
    let operator = Operator::start(world.operator_options_as(proxy.kubeconfig())).await.expect("start the operator");
    (proxy, operator)
}

fn is_read(request: &Request) -> bool {
    request.call.side == Side::Api && request.call.kind != Kind::Watch
}

/// Whether a call reads the Secret with this name.
fn reads(request: &Request, name: &str) -> bool {
    is_read(request)
        && request.call.path.split('?').next().is_some_and(|path| path.ends_with(&format!("/secrets/{name}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_survives_the_loss_of_any_one_answer() {
    let world = World::quick("start").await;
    let (proxy, mut operator) = proxied(&world).await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    let mut struck = 0;
    for nth in 1..=CALLS {
        for fault in [Fault::LoseAnswer, Fault::status(503, "ServiceUnavailable")] {
            operator.kill();
            let planned = proxy.once(nth, fault, is_read);
            operator.restart().unwrap();
            operator.ready().await.unwrap_or_else(|error| panic!("call {nth}: {error:#}\n{}", operator.log()));
            planned.withdraw();
            struck += planned.struck().len();
        }
    }
    // How many reads a start needs may change, but most of these plans strike one.
    assert!(struck >= CALLS as usize, "only {struck} answers were lost");
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(world.service.live().await.unwrap().is_empty());
    assert_eq!(world.count().await, 1);
}

/// The Secret of one service answers with `fault`; the operator starts, says so, serves the other service, and lets the broken one go.
async fn beside_a_broken_one(prefix: &str, fault: Fault, reason: Reason, words: &str) {
    let world = World::quick(prefix).await;
    let (proxy, mut operator) = proxied(&world).await;
    proxy.always(fault, |request| reads(request, "locked"));
    let change = |spec: &mut serde_json::Value| spec["credentials"]["adminKey"]["name"] = json!("locked");
    world.apply(&token_service("broken", &world.service.base_url(), change)).await;
    world.create("theirs", |spec| spec["serviceRef"]["name"] = json!("broken")).await;
    for start in 0..2 {
        let told = world.until_service("broken", ConditionType::Ready, reason).await;
        assert!(told.message.contains(words), "{}", told.message);
        if start == 0 {
            operator.kill();
            operator.restart().unwrap();
            operator.ready().await.unwrap();
        }
    }
    world.until_reason("theirs", ConditionType::Ready, reason).await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    assert_eq!(world.count().await, 1);
    let services = world.services();
    services.delete("broken", &DeleteParams::default()).await.unwrap();
    let gone = || async {
        match services.get_opt("broken").await.map_err(|error| error.to_string())? {
            None => Ok(()),
            Some(service) => Err(format!("{:#?}", service.status)),
        }
    };
    poll("the broken service object is gone", DEADLINE, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_may_not_be_read_stops_nobody_else() {
    let forbidden = Fault::status(403, "Forbidden");
    beside_a_broken_one("forbidden", forbidden, Reason::CredentialMissing, "locked cannot be read").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_whose_answer_never_comes_stops_nobody_else() {
    beside_a_broken_one("silent", Fault::ErrorBefore, Reason::ServiceNotReady, "is not read yet").await;
}

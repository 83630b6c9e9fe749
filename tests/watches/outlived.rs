//! A service object is deleted while its watch is down and a check of it waits for the service. The check ends after the list without
//! the object has arrived, and must not put it back.

use std::sync::Arc;

use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use testbed::fault_proxy::{Call, Fault, Kind, Look, Request, Side};
use testbed::{FaultProxy, Operator, poll};
use tokio::sync::Semaphore;

use crate::own_plane::{DEADLINE, OwnPlane};
use support::objects::{artifact_token, token_service};

/// Holds calls until the test opens it.
struct Gate(Arc<Semaphore>);

impl Gate {
    fn shut() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    fn hold(&self) -> Fault {
        let gate = self.0.clone();
        Fault::Look(Look::new(move |_| {
            let gate = gate.clone();
            async move { assert!(gate.acquire().await.is_err(), "a gate never gives permits") }
        }))
    }

    fn open(&self) {
        self.0.close();
    }
}

fn is_watch(request: &Request) -> bool {
    request.call.kind == Kind::Watch && request.call.resource() == "tokenservices"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_outlives_its_service_does_not_put_it_back() {
    let own_plane = OwnPlane::start("outlived").await;
    let proxy = FaultProxy::start(&own_plane.world.plane, Some(&own_plane.world.service.base_url())).await.unwrap();
    let patient = |spec: &mut serde_json::Value| spec["connection"]["timeout"] = json!("5m");
    own_plane.world.apply(&token_service("brief", &proxy.service_url().unwrap(), patient)).await;
    // After the first list, the proxy holds the watch, and refuses it in the end. It also holds the check that the list starts.
    let (answer, watch) = (Gate::shut(), Gate::shut());
    let asked = proxy.once(1, answer.hold(), |request| request.call.side == Side::Service);
    let watched = proxy.once(1, watch.hold(), is_watch);
    proxy.once(1, Fault::status(410, "Expired"), is_watch);
    let begun_anew = proxy.once(2, Fault::Look(Look::new(|_| async {})), is_watch);
    let mut options = own_plane.options("1s");
    options.kubeconfig = proxy.kubeconfig();
    let _operator = Operator::start(options).await.expect("start the operator");
    asked.until_struck(DEADLINE).await.unwrap();
    watched.until_struck(DEADLINE).await.unwrap();
    // Without the finalizer, the deletion does not wait for the operator.
    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    own_plane.world.services().patch("brief", &PatchParams::default(), &free).await.unwrap();
    own_plane.world.services().delete("brief", &DeleteParams::default()).await.unwrap();
    watch.open();
    // The operator begins a watch after it has taken in the list.
    begun_anew.until_struck(DEADLINE).await.unwrap();
    let brief = |name: &str| artifact_token(name, |spec| spec["serviceRef"]["name"] = json!("brief"));
    own_plane.world.apply(&brief("before")).await;
    own_plane.world.until_reason("before", ConditionType::Ready, Reason::ServiceNotFound).await;
    let before = proxy.calls().len();
    answer.open();
    // The check ends with a write of the status, which finds no object. Kubernetes 1.33 calls that a conflict.
    let ended = || {
        let calls = proxy.calls();
        let ends = |call: &Call| call.route().ends_with("/brief/status") && matches!(call.status, Some(404 | 409));
        let ended = calls.iter().skip(before).any(ends);
        std::future::ready(if ended { Ok(()) } else { Err(format!("{calls:#?}")) })
    };
    poll("the check ends", DEADLINE, ended).await.unwrap();
    own_plane.world.apply(&brief("after")).await;
    for name in ["after", "before"] {
        own_plane.world.until_reason(name, ConditionType::Ready, Reason::ServiceNotFound).await;
    }
    assert_eq!(own_plane.world.count().await, 0, "{:#?}", own_plane.world.made().await);
}

//! The fault proxy in front of a real API server, with kubectl as the process that is killed and stopped, and in front of a service
//! that counts its calls.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt as _};
use serde_json::json;
use testbed::fault_proxy::{EventFault, Fault, Kind, Look, Side};
use testbed::folder::RunFolder;
use testbed::{ControlPlane, FaultProxy, Options, Process, cluster, http, poll};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const DEADLINE: Duration = Duration::from_secs(60);

async fn plane() -> Arc<ControlPlane> {
    ControlPlane::shared(Options::default()).await.unwrap()
}

/// A service whose every answer is the number of its calls so far.
async fn counting_service() -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let counted = counted.clone();
            tokio::spawn(async move {
                let mut text = [0; 4096];
                while matches!(stream.read(&mut text).await, Ok(read) if read > 0) {
                    let body = (counted.fetch_add(1, Ordering::SeqCst) + 1).to_string();
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (url, count)
}

async fn get(proxy: &FaultProxy, path: &str, patience: Duration) -> Result<(u16, String), String> {
    let request = http::client().unwrap().get(format!("{}{path}", proxy.service_url().unwrap())).timeout(patience);
    http::answer(request).await.map_err(|error| format!("{error:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_does_what_it_says_to_the_service_and_to_the_caller() {
    let plane = plane().await;
    // The answer that the caller gets, and how many calls the service has counted afterwards.
    let check = async |fault: Fault, answer: Option<(u16, &str)>, arrived: u32| {
        let (url, count) = counting_service().await;
        let proxy = FaultProxy::start(&plane, Some(&url)).await.unwrap();
        let planned = proxy.once(2, fault.clone(), |request| request.call.route() == "/a");
        for path in ["/b?/a", "/a"] {
            assert_eq!(get(&proxy, path, DEADLINE).await.unwrap().0, 200, "{fault:?} struck {path} too early");
        }
        let struck = get(&proxy, "/a?x", Duration::from_millis(700)).await.ok();
        assert_eq!(struck, answer.map(|(status, body)| (status, body.to_owned())), "{fault:?}");
        let look = || async {
            let seen = count.load(Ordering::SeqCst);
            if seen == arrived { Ok(()) } else { Err(format!("{seen} arrived")) }
        };
        poll(&format!("{fault:?}: {arrived} arrive"), Duration::from_secs(10), look).await.unwrap();
        assert_eq!(planned.struck().iter().map(|call| call.number).collect::<Vec<_>>(), [3]);
        assert_eq!(get(&proxy, "/a", DEADLINE).await.unwrap().1, (arrived + 1).to_string(), "{fault:?} strikes once");
    };
    check(Fault::ErrorBefore, None, 2).await;
    check(Fault::LoseAnswer, None, 3).await;
    check(Fault::Duplicate, Some((200, "4")), 4).await;
    check(Fault::Answer { status: 503, body: "no".to_owned() }, Some((503, "no")), 2).await;
    check(Fault::Delay(Duration::from_millis(100)), Some((200, "3")), 3).await;
    // The caller left long before; its call still lands.
    check(Fault::Delay(Duration::from_millis(1500)), None, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_strikes_until_it_is_withdrawn_and_looks_and_taps_see_secrets() {
    let (url, count) = counting_service().await;
    let proxy = FaultProxy::start(&*plane().await, Some(&url)).await.unwrap();
    let looks = Arc::new(AtomicU32::new(0));
    let seen = looks.clone();
    let look = Look::new(move |request| {
        let seen = seen.clone();
        async move {
            assert_eq!(request.bearer.as_deref(), Some("value"));
            seen.fetch_add(1, Ordering::SeqCst);
        }
    });
    proxy.always(Fault::Look(look), |request| request.bearer.is_some());
    let rule = proxy.always(Fault::Answer { status: 401, body: String::new() }, |request| request.bearer.is_some());
    let answers = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tapped = answers.clone();
    proxy.tap(move |request, status, body| {
        tapped.lock().unwrap().push((request.bearer.clone(), status, body.to_vec()));
    });
    let ask = async || {
        let request = http::client().unwrap().get(format!("{}/x", proxy.service_url().unwrap()));
        http::answer(request.header("authorization", "Bearer value")).await.unwrap().0
    };
    assert_eq!([ask().await, ask().await, get(&proxy, "/x", DEADLINE).await.unwrap().0], [401, 401, 200]);
    rule.withdraw();
    assert_eq!(ask().await, 200);
    assert_eq!((count.load(Ordering::SeqCst), looks.load(Ordering::SeqCst), rule.struck().len()), (2, 3, 2));
    let expected = [(None, 200, b"1".to_vec()), (Some("value".to_owned()), 200, b"2".to_vec())];
    assert_eq!(*answers.lock().unwrap(), expected, "the tap saw an answer that did not come from the service");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_both_sides_are_numbered_in_one_order() {
    let (url, _) = counting_service().await;
    let proxy = FaultProxy::start(&*plane().await, Some(&url)).await.unwrap();
    let client = client(&proxy).await;
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    let _ = maps.get_opt("none").await.unwrap();
    get(&proxy, "/x", DEADLINE).await.unwrap();
    maps.list(&ListParams::default()).await.unwrap();
    let calls = proxy.calls();
    let seen: Vec<_> =
        calls.iter().map(|call| (call.number, call.side, call.kind, call.status, call.is_step())).collect();
    let expected = [
        (1, Side::Api, Kind::Read, Some(404), true),
        (2, Side::Service, Kind::Service, Some(200), true),
        (3, Side::Api, Kind::List, Some(200), false),
    ];
    assert_eq!(seen, expected);
    assert!(calls.iter().all(|call| call.pid == Some(std::process::id())), "{calls:#?}");
}

/// A configuration map that kubectl makes through a proxy with this fault: its process, and whether it is there.
struct Kubectl {
    proxy: FaultProxy,
    process: Process,
    maps: Api<ConfigMap>,
    _folder: RunFolder,
}

impl Kubectl {
    async fn start(fault: Fault) -> Self {
        let plane = plane().await;
        let client = plane.client().await.unwrap();
        let namespace = cluster::namespace(&client, "proxy").await.unwrap();
        let proxy = FaultProxy::start(&plane, None).await.unwrap();
        proxy.once(1, fault, |request| request.call.kind == Kind::Write);
        let plane = plane.clone();
        let mut command: Command = tokio::task::spawn_blocking(move || plane.kubectl()).await.unwrap().unwrap();
        let folder = RunFolder::create("proxy-test").unwrap();
        command.env("KUBECONFIG", proxy.kubeconfig()).env("KUBECACHEDIR", folder.file("cache"));
        command.args(["create", "configmap", "map", "--namespace", &namespace]);
        let process = Process::start("kubectl", &command, &folder.file("log")).unwrap();
        Self { proxy, process, maps: Api::namespaced(client, &namespace), _folder: folder }
    }

    async fn made(&self) -> bool {
        self.maps.get_opt("map").await.unwrap().is_some()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_calls_is_killed_before_or_after_its_call_took_effect() {
    use std::os::unix::process::ExitStatusExt as _;
    for (fault, takes_effect) in [(Fault::KillBefore, false), (Fault::KillAfter, true)] {
        let mut kubectl = Kubectl::start(fault.clone()).await;
        let ended = kubectl.process.wait(DEADLINE).await.unwrap();
        assert_eq!(ended.signal(), Some(9), "{fault:?}: {}", kubectl.process.log());
        assert_eq!(kubectl.made().await, takes_effect, "{fault:?}");
        let calls = kubectl.proxy.calls();
        let last = calls.last().unwrap();
        assert_eq!((last.kind, last.pid, last.status), (Kind::Write, Some(kubectl.process.pid()), None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_calls_stands_still_and_goes_on_later() {
    let time = Duration::from_millis(1500);
    for (fault, takes_effect) in [(Fault::StopBefore(time), false), (Fault::StopAfter(time), true)] {
        let mut kubectl = Kubectl::start(fault.clone()).await;
        let stat = format!("/proc/{}/stat", kubectl.process.pid());
        let look = || async {
            let text = std::fs::read_to_string(&stat).unwrap_or_default();
            if text.contains(") T ") { Ok(()) } else { Err(text) }
        };
        poll(&format!("{fault:?}: kubectl is stopped"), DEADLINE, look).await.unwrap();
        assert_eq!(kubectl.made().await, takes_effect, "{fault:?}");
        assert!(kubectl.process.wait(DEADLINE).await.unwrap().success(), "{fault:?}: {}", kubectl.process.log());
        assert!(kubectl.made().await, "{fault:?}");
    }
}

async fn client(proxy: &FaultProxy) -> Client {
    let kubeconfig = Kubeconfig::read_from(proxy.kubeconfig()).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_come_event_by_event_and_events_are_dropped_and_doubled() {
    let plane = plane().await;
    let direct = plane.client().await.unwrap();
    let namespace = cluster::namespace(&direct, "watch").await.unwrap();
    let proxy = FaultProxy::start(&plane, None).await.unwrap();
    let added = |event: &serde_json::Value| event["type"] == "ADDED" && event["object"]["kind"] == "ConfigMap";
    let dropped = proxy.on_event(2, EventFault::Drop, added);
    let doubled = proxy.on_event(3, EventFault::Double, added);
    let seen: Api<ConfigMap> = Api::namespaced(client(&proxy).await, &namespace);
    let version = seen.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let mut events = std::pin::pin!(seen.watch(&WatchParams::default(), &version).await.unwrap());
    let maps: Api<ConfigMap> = Api::namespaced(direct, &namespace);
    let mut names = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let map = serde_json::from_value(json!({"metadata": {"name": name}, "data": {"big": "x".repeat(100_000)}}));
        maps.create(&PostParams::default(), &map.unwrap()).await.unwrap();
        let expected = match name {
            "b" => 0,
            "c" => 2,
            _ => 1,
        };
        for _ in 0..expected {
            let event = tokio::time::timeout(DEADLINE, events.next()).await.expect("an event comes when it happens");
            let WatchEvent::Added(map) = event.unwrap().unwrap() else { panic!("another event") };
            names.push(map.name_any());
        }
    }
    assert_eq!(names, ["a", "c", "c", "d"]);
    assert_eq!((dropped.struck()[0].kind, doubled.struck().len()), (Kind::Watch, 1));
    assert_eq!(dropped.until_struck(DEADLINE).await.unwrap().resource(), "configmaps");
}

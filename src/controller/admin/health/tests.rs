use std::future::pending;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::ObjectMeta;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use kube::runtime::{Controller, reflector};
use tokio::time::advance;

use super::*;

fn good(parts: &str) -> Answer {
    Answer { good: true, parts: parts.to_owned() }
}

fn bad(parts: &str) -> Answer {
    Answer { good: false, parts: parts.to_owned() }
}

#[test]
fn ready_is_what_has_filled_caches_and_the_answer_names_the_one_that_is_not() {
    let health = Health::default();
    assert_eq!(health.ready(), bad("[-]start failed: nothing is watched yet\n"));
    let secrets = health.cache("secrets", Some("ci"));
    let lease = health.cache("lease", None);
    lease.synced();
    let lacks = "[-]secrets in ci failed: the first list is not complete\n";
    assert_eq!(health.ready(), bad(&format!("[+]lease ok\n{lacks}")));
    secrets.synced();
    assert_eq!(health.ready(), good("[+]lease ok\n[+]secrets in ci ok\n"));
    lease.failed("update: 403".to_owned());
    assert_eq!(health.ready(), bad("[-]lease failed: update: 403\n[+]secrets in ci ok\n"));
}

/// Each question is asked as a kubelet asks it.
async fn asked_for(health: &Health, seconds: u64) -> Answer {
    for _ in 0..seconds / 10 {
        health.alive();
        tokio::task::yield_now().await;
        advance(Duration::from_secs(10)).await;
    }
    health.alive()
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_is_not_polled_is_stuck_after_two_minutes_and_the_answer_names_it() {
    let health = Health::default();
    let mut stuck = Box::pin(health.heart("election", None).beats::<()>());
    let lives = health.heart("artifacttokens", None).beats::<()>();
    let lives = tokio::spawn(async move { Box::pin(lives).next().await });
    // It lived once.
    assert!(futures::poll!(stuck.next()).is_pending());
    assert!(asked_for(&health, 110).await.good, "it may have errors of a watch to wait for");
    let stuck_now = "[-]election failed: this loop has not been polled for 120 s\n[+]artifacttokens ok\n";
    advance(Duration::from_secs(10)).await;
    assert_eq!(health.alive(), bad(stuck_now));
    assert!(futures::poll!(stuck.next()).is_pending());
    assert!(health.alive().good, "it is polled again");
    lives.abort();
    let _ = lives.await;
    assert!(!asked_for(&health, 130).await.good, "a loop that ended is no more polled");
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_nobody_asked_for_a_day_is_not_stuck() {
    let health = Health::default();
    let _stuck = health.heart("election", None);
    advance(Duration::from_secs(86_400)).await;
    assert!(health.alive().good, "this is the first question");
}

fn object(name: &str) -> ConfigMap {
    let metadata = ObjectMeta { name: Some(name.into()), namespace: Some("ci".into()), ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}

#[tokio::test(start_paused = true)]
async fn a_controller_whose_workers_all_wait_for_a_slow_service_is_alive() {
    let health = Health::default();
    let (store, mut writer) = reflector::store();
    let names = ["a", "b", "c"];
    writer.apply_watcher_event(&Event::Init);
    names.iter().for_each(|name| writer.apply_watcher_event(&Event::InitApply(object(name))));
    writer.apply_watcher_event(&Event::InitDone);
    let objects = futures::stream::iter(names.map(|name| Ok(object(name)))).chain(futures::stream::pending());
    let begun = Arc::new(Mutex::new(0));
    let controller = Controller::for_stream(objects, store)
        .with_config(Config::default().concurrency(2))
        .reconcile_on(health.heart("artifacttokens", None).beats::<ObjectRef<ConfigMap>>());
    let never = |_: Arc<ConfigMap>, begun: Arc<Mutex<u32>>| async move {
        *begun.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        pending::<Result<Action, std::io::Error>>().await
    };
    let runs = controller.run(never, |_, _, _| Action::await_change(), begun.clone()).for_each(|_| async {});
    let runs = tokio::spawn(runs);
    assert!(asked_for(&health, 600).await.good);
    assert_eq!(*begun.lock().unwrap_or_else(PoisonError::into_inner), 2, "both workers wait");
    runs.abort();
}

//! A control plane can be restarted and put back, and its clients notice the same as those of a real one.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams, WatchEvent, WatchParams};
use kube::{Api, ResourceExt as _};
use testbed::{ControlPlane, Options, poll};

fn config_map(name: &str) -> ConfigMap {
    ConfigMap { metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, ..ConfigMap::default() }
}

async fn create(maps: &Api<ConfigMap>, name: &str) -> u64 {
    version(&maps.create(&PostParams::default(), &config_map(name)).await.unwrap())
}

fn version(map: &ConfigMap) -> u64 {
    map.resource_version().unwrap().parse().unwrap()
}

/// The first event of a watch from `version` on, except bookmarks.
async fn first_event(maps: &Api<ConfigMap>, version: u64) -> Result<WatchEvent<ConfigMap>, String> {
    let stream = maps.watch(&WatchParams::default(), &version.to_string()).await.map_err(|error| error.to_string())?;
    let mut stream = pin!(stream.filter(|event| {
        let mark = matches!(event, Ok(WatchEvent::Bookmark(_)));
        async move { !mark }
    }));
    match tokio::time::timeout(Duration::from_secs(5), stream.next()).await {
        Ok(Some(event)) => event.map_err(|error| error.to_string()),
        Ok(None) => Err("the watch ended".to_owned()),
        Err(_) => Err("silence".to_owned()),
    }
}

#[tokio::test]
async fn a_restarted_control_plane_has_everything_and_a_restored_one_has_forgotten() {
    let mut plane = ControlPlane::start(Options::default()).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(plane.client().await.unwrap(), "default");
    let first = create(&maps, "first").await;
    for in_good_order in [true, false] {
        plane.end_api_server(in_good_order).await.unwrap();
        assert!(maps.get("first").await.is_err());
        plane.start_api_server().await.unwrap();
        assert_eq!(version(&maps.get("first").await.unwrap()), first);
    }
    let snapshot = plane.snapshot().await.unwrap();
    let second = create(&maps, "second").await;
    for number in 0..20 {
        create(&maps, &format!("more-{number}")).await;
    }
    let before = plane.revision().await.unwrap();
    plane.restore(&snapshot).await.unwrap();
    assert_eq!(version(&maps.get("first").await.unwrap()), first);
    assert_eq!(maps.get_opt("second").await.unwrap().map(|_| second), None);
    let after = plane.revision().await.unwrap();
    assert!(after < before, "the versions went back from {before} to {after}");
    // The server does not report that it has never reached that version; it waits until it does.
    assert_eq!(first_event(&maps, before).await.err().as_deref(), Some("silence"));
}

#[tokio::test]
async fn an_old_watch_is_gone_after_a_compaction() {
    let mut plane = ControlPlane::start(Options::default()).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(plane.client().await.unwrap(), "default");
    let old = create(&maps, "old").await;
    create(&maps, "new").await;
    assert!(matches!(first_event(&maps, old).await, Ok(WatchEvent::Added(map)) if map.name_any() == "new"));
    plane.compact().await.unwrap();
    plane.end_api_server(true).await.unwrap();
    plane.start_api_server().await.unwrap();
    let look = || async {
        match first_event(&maps, old).await {
            Ok(WatchEvent::Error(status)) if status.code == 410 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    poll("410 Gone", Duration::from_secs(20), look).await.unwrap();
}

//! The store forgets old versions while the operator's watches are cut: the watches cannot go on, and begin anew.

use std::time::Instant;

use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use testbed::Signal;

use crate::own_plane::{OwnPlane, seconds};
use support::figures::figure;
use support::objects::{artifact_token, token_service};
use support::{attempt, token_yaml};

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_while_a_watch_was_cut_and_compacted_away_is_acted_on() {
    let mut own_plane = OwnPlane::start("compacted").await;
    let mut operator = own_plane.operator("1s").await;
    for name in ["rotated", "emptied", "deleted", "left"] {
        own_plane.world.apply(&token_yaml(name)).await;
    }
    own_plane.ready(&["rotated", "emptied", "deleted", "left"]).await;
    let url = own_plane.world.service.base_url();
    own_plane.world.apply(&token_service("unused", &url, |_| {})).await;
    own_plane.world.until_service("unused", ConditionType::Ready, Reason::CredentialsAccepted).await;
    // The operator is stopped while its watches are cut, so later changes are in no buffer of its connections.
    operator.process().signal(Signal::Pause).unwrap();
    own_plane.plane().end_api_server(false).await.unwrap();
    own_plane.plane().start_api_server().await.unwrap();
    own_plane.rotate(&["rotated"], "1").await;
    own_plane.world.delete_secret("emptied-secret").await;
    own_plane.world.delete("deleted").await;
    // Without the finalizer, the deletion does not wait for the operator.
    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    own_plane.world.services().patch("unused", &PatchParams::default(), &free).await.unwrap();
    own_plane.world.services().delete("unused", &DeleteParams::default()).await.unwrap();
    own_plane.world.apply(&token_yaml("new")).await;
    // The API server has some versions in its own cache, until it ends.
    own_plane.plane().compact().await.unwrap();
    own_plane.plane().end_api_server(false).await.unwrap();
    own_plane.plane().start_api_server().await.unwrap();
    let (began, mark) = (Instant::now(), own_plane.world.plane.mark().await.unwrap());
    operator.process().signal(Signal::Resume).unwrap();
    own_plane.fulfilled(&["rotated"], "1").await;
    own_plane.world.until_gone("deleted").await;
    own_plane.until("emptied", "its token is replaced", |token| attempt(token) > 1).await;
    own_plane.ready(&["new"]).await;
    for name in ["rotated", "emptied", "new", "left"] {
        assert!(!own_plane.rests(name).await);
    }
    let (after, made) = (seconds(began), own_plane.world.count().await);
    // Four first tokens, and one each for the rotated, the emptied and the new object.
    assert_eq!(made, 7, "{:#?}", own_plane.world.made().await);
    let listed: usize =
        own_plane.requests_since(mark).await.iter().filter(|(what, _)| what.starts_with("list")).map(|(_, n)| n).sum();
    assert!(listed > 0, "no watch began anew");
    own_plane.is_quiet(0).await;
    // The service that was deleted meanwhile serves nobody any more.
    own_plane.world.apply(&artifact_token("late", |spec| spec["serviceRef"]["name"] = json!("unused"))).await;
    own_plane.world.until_reason("late", ConditionType::Ready, Reason::ServiceNotFound).await;
    assert_eq!(own_plane.world.count().await, made);
    let gone = operator.log().matches("Expired").count();
    assert!(gone > 0, "no watch was refused with 410");
    figure(&format!(
        "compaction below cut watches: {gone} times 410 in the log, {listed} lists, all acted on after {after}"
    ));
}

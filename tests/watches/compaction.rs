//! The store forgets old versions while the operator's watches are cut: they cannot go on, and begin anew.

use std::time::Instant;

use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::reason::Reason;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use testbed::Signal;

use crate::place::{Place, seconds};
use support::figures::figure;
use support::objects::{artifact_token, token_service};
use support::{attempt, token_yaml};

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_while_a_watch_was_cut_and_compacted_away_is_acted_on() {
    let mut place = Place::start("compacted").await;
    let mut operator = place.operator("1s").await;
    for name in ["rotated", "emptied", "deleted", "left"] {
        place.world.apply(&token_yaml(name)).await;
    }
    place.ready(&["rotated", "emptied", "deleted", "left"]).await;
    let url = place.world.service.base_url();
    place.world.apply(&token_service("unused", &url, |_| {})).await;
    place.world.until_service("unused", ConditionType::Ready, Reason::CredentialsAccepted).await;
    // While it stands still its watches are cut; what happens after that is in no buffer of its connections.
    operator.process().signal(Signal::Pause).unwrap();
    place.plane().end_api_server(false).await.unwrap();
    place.plane().start_api_server().await.unwrap();
    place.rotate(&["rotated"], "1").await;
    place.world.delete_secret("emptied-secret").await;
    place.world.delete("deleted").await;
    // Without its finalizer nothing waits for the operator.
    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    place.world.services().patch("unused", &PatchParams::default(), &free).await.unwrap();
    place.world.services().delete("unused", &DeleteParams::default()).await.unwrap();
    place.world.apply(&token_yaml("new")).await;
    // The API server remembers some versions itself, until it ends.
    place.plane().compact().await.unwrap();
    place.plane().end_api_server(false).await.unwrap();
    place.plane().start_api_server().await.unwrap();
    let (began, mark) = (Instant::now(), place.world.plane.mark().await.unwrap());
    operator.process().signal(Signal::Resume).unwrap();
    place.fulfilled(&["rotated"], "1").await;
    place.world.until_gone("deleted").await;
    place.until("emptied", "its token is replaced", |token| attempt(token) > 1).await;
    place.ready(&["new"]).await;
    for name in ["rotated", "emptied", "new", "left"] {
        assert!(!place.rests(name).await);
    }
    let (after, made) = (seconds(began), place.world.count().await);
    // Four first ones, and one each for the rotated, the emptied and the new object.
    assert_eq!(made, 7, "{:#?}", place.world.made().await);
    let listed: usize =
        place.requests_since(mark).await.iter().filter(|(what, _)| what.starts_with("list")).map(|(_, n)| n).sum();
    assert!(listed > 0, "no watch began anew");
    place.is_quiet(0).await;
    // The service that went meanwhile serves nobody any more.
    place.world.apply(&artifact_token("late", |spec| spec["serviceRef"]["name"] = json!("unused"))).await;
    place.world.until_reason("late", ConditionType::Ready, Reason::ServiceNotFound).await;
    assert_eq!(place.world.count().await, made);
    let gone = operator.log().matches("Expired").count();
    assert!(gone > 0, "no watch was refused with 410");
    figure(&format!(
        "compaction below cut watches: {gone} times 410 in the log, {listed} lists, all acted on after {after}"
    ));
}

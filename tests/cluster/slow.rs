//! One service for many objects: slow, or with room for a few tokens.

use std::collections::BTreeSet;

use artifact_token_operator::api::condition::ConditionType;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use support::objects::{artifact_token, token_service};
use support::{DEADLINE, World, binary, condition, credential_yaml, is_ready};
use testbed::{ReferenceService, poll};

/// More objects than an operator works on at a time for one service.
const OBJECTS: usize = 40;
/// So many it works on.
const INSIDE: usize = 16;
/// Longer than a first token takes on a loaded machine.
const SLOW_MILLISECONDS: u64 = 40_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_service_does_not_hold_up_another_one() {
    let world = World::start("slow").await;
    let slow = ReferenceService::start(binary("reference-service")).await.unwrap();
    world
        .apply(&format!(
            "{{apiVersion: v1, kind: Secret, metadata: {{name: slow-admin}}, stringData: {{key: {}}}}}",
            slow.admin_key()
        ))
        .await;
    let change = |spec: &mut Value| spec["credentials"]["adminKey"]["name"] = json!("slow-admin");
    world.apply(&token_service("slow", &slow.base_url(), change)).await;
    let latency = json!([{"operation": "generate", "kind": "Latency", "milliseconds": SLOW_MILLISECONDS}]);
    slow.faults(latency).await.unwrap();
    let _operator = world.operator().await;
    for number in 0..OBJECTS {
        let to_slow = |spec: &mut Value| spec["serviceRef"] = json!({"name": "slow"});
        world.apply(&artifact_token(&format!("slow-{number}"), to_slow)).await;
    }
    // The finalizer is the first claim, and the call of the service follows it at once.
    let claimed = || async {
        let tokens = world.tokens().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let claimed =
            tokens.iter().filter(|token| token.name_any() != "quick" && !token.finalizers().is_empty()).count();
        if claimed >= INSIDE { Ok(claimed) } else { Err(format!("{claimed} claims")) }
    };
    poll("the slow service is busy", DEADLINE, claimed).await.unwrap();
    world.apply(&artifact_token("quick", |_| {})).await;
    world.until_ready("quick").await;
    let made = slow.live().await.unwrap().len();
    assert_eq!(made, 0, "the quick one waited for the slow ones");
    assert_eq!(claimed().await, Ok(INSIDE), "so many passes are in the calls of one service at a time");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_never_more_live_tokens_than_the_service_object_allows() {
    const MOST: usize = 3;
    let world = World::bare("room").await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    let limited = |suspend: bool| {
        let change = move |spec: &mut Value| {
            spec["suspend"] = json!(suspend);
            spec["limits"] = json!({"requestsPerMinute": 6000, "maximumLiveTokens": MOST});
        };
        token_service("reference", &world.service.base_url(), change)
    };
    world.apply(&limited(true)).await;
    let _operator = world.operator().await;
    let names: BTreeSet<String> = (0..12).map(|number| format!("ci-{number}")).collect();
    for name in &names {
        world.apply(&artifact_token(name, |_| {})).await;
    }
    // All of them want a token at the same moment.
    world.apply(&limited(false)).await;
    let look = || async {
        let tokens = world.tokens().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let waiting = tokens.iter().filter(|token| !is_ready(token)).filter(|token| {
            let ready = condition(token, ConditionType::Ready);
            ready.is_some_and(|ready| ready.message.contains("maximumLiveTokens"))
        });
        let (ready, waiting) = (tokens.iter().filter(|token| is_ready(token)).count(), waiting.count());
        if ready + waiting == names.len() { Ok(ready) } else { Err(format!("{ready} ready, {waiting} without room")) }
    };
    let ready = poll("each object has a token or no room", DEADLINE, look).await.unwrap();
    assert_eq!(ready, MOST);
    assert_eq!(world.count().await, MOST, "no token was made beyond that");
}

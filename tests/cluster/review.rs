//! The operator's own credential changes. The operator does not believe the service's refusals at once (P20).

use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use serde_json::json;

use support::{World, attempt, credential_yaml, token_yaml};

const NAMES: [&str; 3] = ["one", "two", "three"];

/// Three objects with a token each.
async fn ready(prefix: &str) -> (World, testbed::Operator) {
    let world = World::quick(prefix).await;
    let operator = world.operator().await;
    for name in NAMES {
        world.apply(&token_yaml(name)).await;
        world.until_ready(name).await;
    }
    (world, operator)
}

/// Replaces the key, at the service and in the cluster.
async fn change_key(world: &World, key: &str) {
    world.replace_admin_key(key).await;
    world.apply(&credential_yaml(key)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_all_refused_since_the_credential_changed_are_not_made_anew() {
    let (world, mut operator) = ready("doubt").await;
    world.faults(json!([{"operation": "verify", "kind": "Status", "status": 401}])).await;
    change_key(&world, "another-key").await;
    let stalled = world.until_service("reference", ConditionType::Stalled, Reason::OriginDoubtful).await;
    assert!(stalled.message.contains("revokeIssuedBefore"), "{}", stalled.message);
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    world.until_service("reference", ConditionType::Stalled, Reason::OriginDoubtful).await;
    assert_eq!(world.count().await, NAMES.len(), "no token was made");

    world.service.clear_faults().await.unwrap();
    change_key(&world, "the-right-key").await;
    let ready = world.until_service("reference", ConditionType::Ready, Reason::CredentialsAccepted).await;
    assert_eq!(ready.status, ConditionStatus::True);
    assert_eq!(world.count().await, NAMES.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_that_is_refused_where_the_others_work_is_replaced() {
    let (world, operator) = ready("one-of").await;
    let dead = world.current_id("two").await;
    drop(operator);
    world.revoke_by_person(&dead).await;
    change_key(&world, "another-key").await;
    let _operator = world.operator().await;
    world.until("two", "it is replaced", |token| attempt(token) == 2).await;
    world.until_ready("two").await;
    assert_eq!(world.count().await, NAMES.len() + 1, "the other objects kept their tokens");
}

//! The service refuses tokens: all of them, since the operator's own credential changed or for a while, or one (P20).

use artifact_token_operator::api::artifact_token::{ROTATE_REQUESTED_AT, SKIP_REVOCATION};
use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use serde_json::json;
use testbed::poll;

use support::{DEADLINE, World, attempt, credential_yaml, token_yaml};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_refuses_everybody_for_a_while_keeps_its_tokens() {
    let (world, mut operator) = ready("everybody").await;
    let mut values = Vec::new();
    for name in NAMES {
        world.patch(name, json!({"spec": {"verification": {"interval": "2s"}}})).await;
        values.push(world.value(&format!("{name}-secret"), "token").await);
    }
    world.faults(json!([{"operation": "verify", "kind": "Status", "status": 401}])).await;
    let refused = world.until_service("reference", ConditionType::Ready, Reason::TokensRefused).await;
    assert!(refused.message.contains("asked about again"), "{}", refused.message);
    for name in NAMES {
        let unconfirmed = world.until_reason(name, ConditionType::Ready, Reason::RefusalUnconfirmed).await;
        assert_eq!(unconfirmed.status, ConditionStatus::Unknown);
    }
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    world.until_service("reference", ConditionType::Ready, Reason::TokensRefused).await;
    world.service.reset_calls().await.unwrap();
    let asked = || async {
        let verifies = world.service.books().await.map_err(|error| error.to_string())?.calls.verify;
        if verifies >= 3 * NAMES.len() as u64 { Ok(()) } else { Err(format!("{verifies} of them")) }
    };
    poll("each token is asked about several times more", DEADLINE, asked).await.unwrap();
    assert_eq!(world.count().await, NAMES.len(), "no token was made");

    world.service.clear_faults().await.unwrap();
    for (name, value) in NAMES.iter().zip(values) {
        world.until_ready(name).await;
        assert_eq!(world.value(&format!("{name}-secret"), "token").await, value, "the Secrets are as they were");
    }
    world.until_service("reference", ConditionType::Ready, Reason::CredentialsAccepted).await;
    assert_eq!(world.count().await, NAMES.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_object_that_is_created_again_is_not_in_doubt() {
    let (world, _operator) = ready("again").await;
    world.faults(json!([{"operation": "verify", "kind": "Status", "status": 401}])).await;
    change_key(&world, "another-key").await;
    world.until_service("reference", ConditionType::Stalled, Reason::OriginDoubtful).await;
    for name in NAMES {
        world.annotate(name, SKIP_REVOCATION, "true").await;
        world.delete(name).await;
        world.until_gone(name).await;
    }
    world.services().delete("reference", &kube::api::DeleteParams::default()).await.unwrap();
    world.service.clear_faults().await.unwrap();
    let services = world.services();
    let gone = || async {
        let there = services.get_opt("reference").await.map_err(|error| error.to_string())?;
        there.map_or(Ok(()), |service| Err(format!("{:#?}", service.status)))
    };
    poll("the service object is gone", DEADLINE, gone).await.unwrap();
    world.serve(|_| {}).await;
    world.until_service("reference", ConditionType::Ready, Reason::CredentialsAccepted).await;
    world.apply(&token_yaml("anew")).await;
    world.until_ready("anew").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_asks_for_a_new_token_does_not_wait_until_the_service_accepts_the_old_ones() {
    let (world, _operator) = ready("asks").await;
    for name in NAMES {
        world.revoke_by_person(&world.current_id(name).await).await;
        world.patch(name, json!({"spec": {"verification": {"interval": "1s"}}})).await;
    }
    world.until_service("reference", ConditionType::Ready, Reason::TokensRefused).await;
    for name in NAMES {
        world.annotate(name, ROTATE_REQUESTED_AT, "1").await;
        world.until(name, "it is replaced", |token| attempt(token) == 2).await;
        world.until_ready(name).await;
    }
    world.until_service("reference", ConditionType::Ready, Reason::CredentialsAccepted).await;
    assert_eq!(world.count().await, 2 * NAMES.len());
}

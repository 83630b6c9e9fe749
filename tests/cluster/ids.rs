//! A service that gives ids again, and one that shows each account only its own tokens (P9, P19).

use artifact_token_operator::api::artifact_token::{ArtifactToken, RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::ledger::Proof;
use artifact_token_operator::api::reason::Reason;
use serde_json::json;

use support::acts::ledger;
use support::{World, attempt, credential_yaml, token_yaml};

/// An object with a token whose id comes back as soon as the token is gone.
async fn with_reused_ids(prefix: &str) -> (World, testbed::Operator) {
    let world = World::quick(prefix).await;
    world.settings(json!({"reuseIds": true})).await;
    let operator = world.operator().await;
    world.create("ci", |spec| spec["verification"] = json!({"interval": "1s"})).await;
    world.until_ready("ci").await;
    (world, operator)
}

/// Waits until the second token is in use, and the first one is dead.
async fn settled(world: &World, name: &str) -> ArtifactToken {
    let settled = |token: &ArtifactToken| attempt(token) == 2 && ledger(token).superseded.is_empty();
    world.until(name, "its old token is settled", settled).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_token_with_the_id_of_a_dead_one_is_not_revoked() {
    let (world, _operator) = with_reused_ids("stranger").await;
    let id = world.current_id("ci").await;
    world.revoke_by_person(&id).await;
    let (strangers, value) = world.generate_as("alice's own laptop").await;
    assert_eq!(strangers, id);
    let token = settled(&world, "ci").await;
    assert_eq!(ledger(&token).history[0].id.as_str(), id);
    assert!(world.accepts(&value).await, "a stranger's token was revoked");
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(world.accepts(&value).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_does_not_revoke_a_strangers_token_either() {
    let (world, _operator) = with_reused_ids("deleted").await;
    world.patch("ci", json!({"spec": {"verification": {"interval": "1h"}}})).await;
    let id = world.current_id("ci").await;
    world.revoke_by_person(&id).await;
    let (_, value) = world.generate_as("alice's own laptop").await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert!(world.accepts(&value).await, "a stranger's token was revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_another_object_with_the_id_of_a_dead_one_is_not_revoked() {
    let (world, _operator) = with_reused_ids("other").await;
    let id = world.current_id("ci").await;
    world.patch("ci", json!({"spec": {"verification": {"interval": "1h"}}})).await;
    world.revoke_by_person(&id).await;
    world.apply(&token_yaml("other")).await;
    world.until_ready("other").await;
    assert_eq!(world.current_id("other").await, id);
    let value = world.value("other-secret", "token").await;
    world.annotate("ci", RECONCILE_REQUESTED_AT, "1").await;
    settled(&world, "ci").await;
    assert!(world.accepts(&value).await, "another object's token was revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_with_the_id_of_the_dead_one_is_used() {
    let (world, _operator) = with_reused_ids("same").await;
    let id = world.current_id("ci").await;
    world.revoke_by_person(&id).await;
    world.until_attempt("ci", 2).await;
    let token = world.agrees("ci", "ci-secret").await;
    assert_eq!(ledger(&token).current.unwrap().id.as_str(), id);
    assert_eq!(world.count().await, 2, "no token was thrown away");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_another_account_proves_nothing() {
    let world = World::quick("accounts").await;
    world.settings(json!({"accounts": true})).await;
    let mut operator = world.operator().await;
    world.create("ci", |spec| spec["rotation"]["overlap"] = json!("20s")).await;
    world.until_ready("ci").await;
    let first = world.value("ci-secret", "token").await;
    world.replace_admin_key("another-account").await;
    world.apply(&credential_yaml("another-account")).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until("ci", "it is rotated", |token| attempt(token) > 1).await;
    // The value of the old token goes with the process.
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    let failed = world.until_reason("ci", ConditionType::RevocationPending, Reason::RevocationFailed).await;
    assert!(failed.message.contains("another account"), "{}", failed.message);
    assert!(world.accepts(&first).await, "it lives");
    assert!(ledger(&world.token("ci").await).history.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoke_without_the_value_is_proved_by_the_list_that_had_it() {
    let world = World::quick("listed").await;
    let mut operator = world.operator().await;
    world.create("ci", |spec| spec["rotation"]["overlap"] = json!("5s")).await;
    world.until_ready("ci").await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 2).await;
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    let token = world.agrees("ci", "ci-secret").await;
    assert_eq!(ledger(&token).history[0].proof, Proof::Unlisted);
}

/// The reference service as one that lists nothing and whose tokens have no names.
async fn without_list(prefix: &str) -> World {
    let world = World::bare(prefix).await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world
        .serve(|spec| {
            spec["preset"] = json!("Custom");
            spec["operations"] = json!({
                "authentication": {"bearer": "{{ credentials.adminKey }}"},
                "naming": {"unsupported": true},
                "lifetime": {"never": true, "minimum": "1s"},
                "generate": {
                    "request": {
                        "method": "POST",
                        "path": "/v1/tokens",
                        "json": r#"{"name": {{ displayName }}, "lifetimeSeconds": {{ lifetimeSeconds }}}"#,
                    },
                    "response": {"value": "$.token", "id": "$.id", "expirationTime": "$.expirationTime"},
                },
                "verify": {
                    "request": {"method": "GET", "path": "/v1/whoami", "headers": {"Authorization": "Bearer {{ token }}"}},
                    "accepted": {"statuses": [200]},
                    "refused": {"statuses": [401]},
                },
                "revoke": {"request": {"method": "DELETE", "path": "/v1/tokens/{{ id }}"}, "gone": [404]},
            });
        })
        .await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_that_says_nothing_leaves_no_revoke_on_the_services_word() {
    let world = without_list("unclear-revoke").await;
    let _operator = world.operator().await;
    world.create("ci", |spec| spec["rotation"]["overlap"] = json!("5s")).await;
    world.until_ready("ci").await;
    world.patch("ci", json!({"spec": {"displayName": "another"}})).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 2).await;
    world.faults(json!([{"operation": "verify", "kind": "Status", "status": 418, "count": 1}])).await;
    let token = world.agrees("ci", "ci-secret").await;
    assert_eq!(world.service.books().await.unwrap().calls.revoke, 1);
    assert_eq!(ledger(&token).history[0].proof, Proof::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_ends_although_the_token_is_gone_and_verify_says_nothing() {
    let world = without_list("unclear-gone").await;
    let _operator = world.operator().await;
    world.create("ci", |_| {}).await;
    world.until_ready("ci").await;
    world.faults(json!([{"operation": "verify", "kind": "Status", "status": 418}])).await;
    world.revoke_by_person(&world.current_id("ci").await).await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    assert_eq!(world.service.books().await.unwrap().calls.revoke, 1, "it is sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_ids_come_back_and_tokens_have_no_names_a_person_revokes_what_is_lost() {
    let world = World::bare("by-hand").await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world
        .serve(|spec| {
            let operations = spec["operations"].as_object_mut().unwrap();
            operations.insert("naming".to_owned(), json!({"unsupported": true}));
            operations.insert("ids".to_owned(), json!("Reused"));
            operations["generate"]["request"]["json"] =
                json!(r#"{"name": {{ displayName }}, "lifetimeSeconds": {{ lifetimeSeconds }}}"#);
        })
        .await;
    let mut operator = world.operator().await;
    world.create("ci", |spec| spec["rotation"]["overlap"] = json!("5s")).await;
    world.until_ready("ci").await;
    let first = world.value("ci-secret", "token").await;
    // The service takes a name of a living token for no second one.
    world.patch("ci", json!({"spec": {"displayName": "another"}})).await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 2).await;
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    let failed = world.until_reason("ci", ConditionType::RevocationPending, Reason::RevocationFailed).await;
    assert!(failed.message.contains("by hand"), "{}", failed.message);
    assert!(world.accepts(&first).await);
    let id = ledger(&world.token("ci").await).superseded[0].id.clone();
    world.revoke_by_person(id.as_str()).await;
    world.agrees("ci", "ci-secret").await;
}

//! What is said of a service and its tokens: one cause, one sentence, what to do, and nothing once it is over.

use std::time::{Duration, Instant};

use artifact_token_operator::api::artifact_token::{RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use testbed::poll;

use crate::ready;
use support::acts::ledger;
use support::{DEADLINE, World, condition, credential_yaml, is_ready, token_yaml};

const READY: ConditionType = ConditionType::Ready;

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_fails_is_the_trouble_of_the_service_object_and_holds_up_no_token() {
    let world = World::bare("list-fails").await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world.serve(|spec| spec["sweep"] = json!({"interval": "10s"})).await;
    let _operator = world.operator().await;
    world.apply(&token_yaml("ci")).await;
    world.until_ready("ci").await;
    world.faults(json!([{"operation": "list", "kind": "Status", "status": 500}])).await;
    let told = world.until_service("reference", READY, Reason::OperationFailing).await;
    assert_eq!(told.status, ConditionStatus::False);
    assert!(told.message.starts_with("list: status 500"), "{}", told.message);
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 2).await;
    world.service.clear_faults().await.unwrap();
    let over = world.until_service("reference", READY, Reason::CredentialsAccepted).await;
    assert_eq!(over.status, ConditionStatus::True);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_is_told_by_its_object_within_a_minute_and_comes_back_by_itself() {
    let (world, _operator, _) = ready("down").await;
    world.faults(json!([{"operation": "any", "kind": "Status", "status": 503}])).await;
    let down = Instant::now();
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    let told = world.until_service("reference", READY, Reason::ServiceNotReady).await;
    assert!(down.elapsed() < Duration::from_secs(60), "{:?}", down.elapsed());
    assert!(told.message.contains("status 503"), "{}", told.message);
    assert!(is_ready(&world.token("ci").await), "the old token works as far as anybody knows");
    world.service.clear_faults().await.unwrap();
    world.until_service("reference", READY, Reason::CredentialsAccepted).await;
    world.until("ci", "it is replaced", |token| ledger(token).current.is_some_and(|current| current.attempt > 1)).await;
    let token = world.until_ready("ci").await;
    assert_eq!(condition(&token, ConditionType::RotationFailed), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_object_says_that_it_is_checked_while_the_service_is_slow() {
    let world = World::bare("slow-check").await;
    world.faults(json!([{"operation": "any", "kind": "Latency", "milliseconds": 1500}])).await;
    let _operator = world.operator().await;
    world.apply(&credential_yaml(world.service.admin_key())).await;
    world.serve(|_| {}).await;
    let waits = world.until_service("reference", READY, Reason::ServiceNotReady).await;
    assert!(waits.message.contains("is being checked"), "{}", waits.message);
    world.until_service("reference", READY, Reason::CredentialsAccepted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_put_right_at_the_service_is_noticed_without_a_change_here() {
    let (world, _operator, _) = ready("mended-there").await;
    let key = world.service.admin_key().to_owned();
    world.replace_admin_key("another-key").await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    let refused = world.until_service("reference", ConditionType::Stalled, Reason::CredentialRejected).await;
    assert!(refused.message.contains("reconcile-requested-at"), "{}", refused.message);
    world.replace_admin_key(&key).await;
    world.until_service("reference", READY, Reason::CredentialsAccepted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_about_the_current_token_that_the_declaration_does_not_name_is_told_with_its_status_until_it_is_over()
{
    let (world, mut operator, _) = ready("unclear").await;
    world.faults(json!([{"operation": "verify", "kind": "Status", "status": 418}])).await;
    world.annotate("ci", RECONCILE_REQUESTED_AT, "1").await;
    let unclear = world.until_reason("ci", ConditionType::VerificationUnclear, Reason::AnswerUndeclared).await;
    assert!(unclear.message.contains("status 418") && unclear.message.contains("since"), "{}", unclear.message);
    let token = world.token("ci").await;
    assert!(is_ready(&token), "the token stays in use");
    assert!(condition(&token, READY).unwrap().message.contains("but not since"), "{token:#?}");
    operator.restart().unwrap();
    operator.ready().await.unwrap();
    world.service.clear_faults().await.unwrap();
    let over = |token: &_| condition(token, ConditionType::VerificationUnclear).is_none();
    world.until("ci", "it is over, also after a restart", over).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_token_that_verify_refuses_is_told_with_the_status_and_where_to_look() {
    let world = World::quick("narrow").await;
    let _operator = world.operator().await;
    world.until_service("reference", READY, Reason::CredentialsAccepted).await;
    world.faults(json!([{"operation": "verify", "kind": "Status", "status": 401}])).await;
    world.apply(&token_yaml("ci")).await;
    let (_, note) = world.until_event("ci", "TokenVerificationFailed").await;
    assert!(note.contains("status 401") && note.contains("spec.operations.verify"), "{note}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_of_the_credential_with_the_same_value_makes_nobody_ask_about_tokens() {
    let (world, _operator, _) = ready("same-value").await;
    let revision = || async { world.services().get("reference").await.unwrap().status.unwrap().credentials_revision };
    let before = revision().await;
    world.service.reset_calls().await.unwrap();
    let label = Patch::Merge(json!({"metadata": {"labels": {"touched": "by-a-tool"}}}));
    world.secrets().patch("reference-admin", &PatchParams::default(), &label).await.unwrap();
    let noticed = || async {
        let now = revision().await;
        if now == before { Err(format!("{now:?}")) } else { Ok(()) }
    };
    poll("the new version is recorded", DEADLINE, noticed).await.unwrap();
    // A review would ask about the token in the pass that follows at once; another token takes longer.
    world.apply(&token_yaml("other")).await;
    world.until_ready("other").await;
    let calls = world.service.books().await.unwrap().calls;
    assert_eq!((calls.verify, calls.list), (1, 0), "that of the other token: {calls:?}");
}

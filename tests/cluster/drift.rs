//! Somebody changes the Secret or the status by hand.

use artifact_token_operator::api::artifact_token::{RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::{Condition, ConditionType};
use artifact_token_operator::api::reason::Reason;
use data_encoding::BASE64;
use kube::ResourceExt;
use serde_json::json;

use crate::ready;
use support::acts::ledger;
use support::{DEADLINE, OVERLAP_MILLISECONDS, World, attempt, token_yaml};
use testbed::poll;

/// How long the token with this id lived on after its successor was verified, in milliseconds.
async fn lived_on(world: &World, id: &str) -> u128 {
    let ledger = ledger(&world.token("ci").await);
    let dead = ledger.history.iter().find(|dead| dead.id.as_str() == id).expect("it is in history");
    dead.revoked_time.since(ledger.current.unwrap().verified_time).as_millis()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_secret_comes_back_with_one_new_token_and_the_old_one_dies_after_its_overlap() {
    let (world, _operator, first) = ready("deleted").await;
    let id = world.current_id("ci").await;
    world.delete_secret("ci-secret").await;
    world.until_attempt("ci", 2).await;
    assert!(world.accepts(&first).await, "consumers that have read it may still use it");
    world.agrees("ci", "ci-secret").await;
    assert!(lived_on(&world, &id).await >= u128::from(OVERLAP_MILLISECONDS));
    assert_eq!(world.count().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_secret_deleted_before_its_token_is_decided_is_never_created_with_that_token_again() {
    let world = World::quick("undecided").await;
    let _operator = world.operator().await;
    world.until_service("reference", ConditionType::Ready, Reason::CredentialsAccepted).await;
    world.faults(json!([{"operation": "verify", "kind": "Status", "status": 503}])).await;
    world.apply(&token_yaml("ci")).await;
    world.until_secret("ci-secret", "the first token is published", |_| true).await;
    let first = world.made().await[0].id.clone();
    world.delete_secret("ci-secret").await;
    let back = world.until_secret("ci-secret", "a Secret is there again", |_| true).await;
    assert_ne!(back.annotations().get("artifact-token.dev/token-id"), Some(&first), "consumers may have moved on");
    world.service.clear_faults().await.unwrap();
    world.until_ready("ci").await;
    world.agrees("ci", "ci-secret").await;
    assert!(world.is_dead(&first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_value_is_replaced_and_the_token_before_it_dies_after_its_overlap() {
    let (world, _operator, first) = ready("edited").await;
    let id = world.current_id("ci").await;
    world.patch_secret("ci-secret", json!({"data": {"token": BASE64.encode(b"by-hand")}})).await;
    world.until_attempt("ci", 2).await;
    assert_ne!(world.value("ci-secret", "token").await, "by-hand");
    assert!(world.accepts(&first).await, "consumers that have read it may still use it");
    world.agrees("ci", "ci-secret").await;
    assert!(lived_on(&world, &id).await >= u128::from(OVERLAP_MILLISECONDS));
    assert_eq!(world.count().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_was_edited_while_no_operator_ran_is_noticed_at_its_start() {
    let (world, mut operator, first) = ready("offline").await;
    operator.kill();
    world.patch_secret("ci-secret", json!({"data": {"token": BASE64.encode(b"by-hand")}})).await;
    operator.restart().unwrap();
    world.until_attempt("ci", 2).await;
    world.agrees("ci", "ci-secret").await;
    assert!(!world.accepts(&first).await);
    assert_eq!(world.count().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_key_is_removed_and_no_token_is_made_for_it() {
    let (world, _operator, first) = ready("added").await;
    world.patch_secret("ci-secret", json!({"data": {"extra": BASE64.encode(b"x")}})).await;
    let alone = |secret: &k8s_openapi::api::core::v1::Secret| secret.data.as_ref().is_some_and(|data| data.len() == 1);
    world.until_secret("ci-secret", "the added key is gone", alone).await;
    world.agrees("ci", "ci-secret").await;
    assert_eq!(world.value("ci-secret", "token").await, first);
    assert_eq!(world.count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wiped_marks_are_put_right_and_one_token_lives_at_the_end() {
    let (world, _operator, _) = ready("marks").await;
    let marks = ["attempt", "token-id", "superseded", "fence"];
    let nulls: serde_json::Map<_, _> =
        marks.iter().map(|mark| (format!("artifact-token.dev/{mark}"), serde_json::Value::Null)).collect();
    world.patch_secret("ci-secret", json!({"metadata": {"annotations": nulls}})).await;
    let marked =
        |secret: &k8s_openapi::api::core::v1::Secret| secret.annotations().contains_key("artifact-token.dev/token-id");
    world.until_secret("ci-secret", "the marks are back", marked).await;
    world.agrees("ci", "ci-secret").await;
    assert!(world.count().await <= 2, "{:#?}", world.made().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_look_that_was_asked_for_is_remembered_and_makes_no_token() {
    let (world, _operator, first) = ready("look").await;
    world.annotate("ci", RECONCILE_REQUESTED_AT, "1").await;
    let handled = |token: &_| ledger(token).handled_requests.reconcile.as_deref() == Some("1");
    world.until("ci", "the request is recorded", handled).await;
    world.agrees("ci", "ci-secret").await;
    assert_eq!(world.value("ci-secret", "token").await, first);
    assert_eq!(world.count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_id_of_another_token_is_never_revoked() {
    let (world, _operator, _) = ready("forged").await;
    world.apply(&token_yaml("other")).await;
    world.until_ready("other").await;
    let (victim, value) = (world.current_id("other").await, world.value("other-secret", "token").await);
    let forged = json!({
        "artifact-token.dev/token-id": victim, "artifact-token.dev/attempt": "4000", "artifact-token.dev/fence": "4000",
        "artifact-token.dev/superseded": json!([victim]).to_string(),
    });
    world
        .patch_secret("ci-secret", json!({"metadata": {"annotations": forged}, "data": {"token": BASE64.encode(b"x")}}))
        .await;
    world.until("ci", "a new token is current", |token| attempt(token) > 1).await;
    world.until_live("two tokens live", |live| live.len() == 2).await;
    assert!(world.accepts(&value).await, "the other object's token lives");
    assert!(world.accepts(&world.value("ci-secret", "token").await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_status_costs_one_token_at_most_and_revokes_nothing_that_the_secret_holds() {
    let (world, _operator, first) = ready("wiped").await;
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_attempt("ci", 2).await;
    world.agrees("ci", "ci-secret").await;
    world.patch_status("ci", json!({"status": null})).await;
    world.until("ci", "there is a ledger again", |token| attempt(token) >= 2).await;
    // At every moment, the service accepts the value in the Secret.
    assert!(world.accepts(&world.value("ci-secret", "token").await).await);
    world.agrees("ci", "ci-secret").await;
    assert!(!world.accepts(&first).await);
    assert!(world.count().await <= 3, "{:#?}", world.made().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_former_object_is_written_over_and_its_token_is_left_alone() {
    let (world, mut operator, first) = ready("former").await;
    let (old, old_id) = (world.token("ci").await.uid(), world.current_id("ci").await);
    operator.kill();
    // Like a restore: the object comes back with another uid, and its Secret is there.
    world.patch("ci", json!({"metadata": {"finalizers": null}})).await;
    world.delete("ci").await;
    world.until_gone("ci").await;
    world.create("ci", |spec| spec["rotation"]["overlap"] = json!("1h")).await;
    assert_ne!(world.token("ci").await.uid(), old);
    operator.restart().unwrap();
    world.until_ready("ci").await;
    assert!(world.accepts(&world.value("ci-secret", "token").await).await);
    assert!(world.accepts(&first).await, "a mark on a Secret is no reason to revoke a token");
    let ledger = ledger(&world.token("ci").await);
    assert!(ledger.superseded.is_empty() && ledger.history.is_empty(), "{ledger:#?}");
    let replaced = ledger.replaced.expect("the sweep must spare it");
    assert_eq!(replaced.id.as_str(), old_id);
    assert!(replaced.until_time.is_some_and(|until| until > ledger.current.unwrap().verified_time));
    assert_eq!(world.count().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_a_person_revoked_is_noticed_and_replaced() {
    let world = World::quick("person").await;
    let _operator = world.operator().await;
    world.create("ci", |spec| spec["verification"] = json!({"interval": "2s"})).await;
    world.until_ready("ci").await;
    let id = world.current_id("ci").await;
    world.revoke_by_person(&id).await;
    let (type_, _) = world.until_event("ci", "TokenInvalidatedExternally").await;
    assert_eq!(type_, "Warning");
    world.until_attempt("ci", 2).await;
    world.agrees("ci", "ci-secret").await;
    assert_eq!(world.count().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_that_cannot_be_replaced_is_not_called_ready() {
    let world = World::quick("unreplaced").await;
    let _operator = world.operator().await;
    world.create("ci", |spec| spec["verification"] = json!({"interval": "2s"})).await;
    world.until_ready("ci").await;
    world.patch("ci", json!({"spec": {"suspend": true}})).await;
    world.revoke_by_person(&world.current_id("ci").await).await;
    let not = |token: &_| {
        support::condition(token, ConditionType::Ready)
            .is_some_and(|ready| ready.status == artifact_token_operator::api::condition::ConditionStatus::False)
    };
    let token = world.until("ci", "Ready is False", not).await;
    let reason = support::condition(&token, ConditionType::Ready).unwrap().reason;
    assert!([Reason::TokenRejected, Reason::Suspended].contains(&reason), "{reason}");
    assert_eq!(world.count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_refuses_to_replace_a_deleted_secret_is_not_told_as_a_fight() {
    let (world, _operator, _) = ready("refused-again").await;
    world.faults(json!([{"operation": "generate", "kind": "Status", "status": 400}])).await;
    world.delete_secret("ci-secret").await;
    let refused = async || match world.service.books().await.unwrap().calls.generate {
        calls if calls >= 4 => Ok(()),
        calls => Err(format!("{calls} calls of generate")),
    };
    poll("three refusals", DEADLINE, refused).await.unwrap();
    world.until_reason("ci", ConditionType::Ready, Reason::TokenGenerationFailed).await;
    let conditions = world.token("ci").await.status.unwrap().conditions;
    assert!(conditions.iter().all(|one| one.reason != Reason::SecretContested), "{conditions:#?}");
}

/// Somebody who writes the Secret eight times a second, for some seconds and until a condition of this type has told of it. Returns what
/// it told, and how many corrections there can have been: each pause is twice as long as the one before.
async fn fight(world: &World, type_: ConditionType, patch: impl Fn(u32) -> serde_json::Value) -> (Condition, usize) {
    let (begun, mut told) = (std::time::Instant::now(), None);
    for round in 0..LONGEST_FIGHT_SECONDS * 8 {
        world.patch_secret("ci-secret", patch(round)).await;
        tokio::time::sleep(std::time::Duration::from_millis(125)).await;
        let shown = support::condition(&world.token("ci").await, type_).cloned();
        told = told.or(shown.filter(|shown| shown.reason == Reason::SecretContested));
        if let Some(told) = told.clone().filter(|_| round >= FIGHT_SECONDS * 8) {
            let pauses = begun.elapsed().as_secs_f64() / FIRST_PAUSE_SECONDS + 1.0;
            return (told, 1 + pauses.log2().ceil() as usize);
        }
    }
    panic!("{type_:?} does not tell of the fight: {:#?}", world.token("ci").await.status)
}

/// How long a fight lasts. With the first pause of the tests there is time for four or five corrections.
const FIGHT_SECONDS: u32 = 10;
/// What is only told waits for some seconds after four others (P24).
const LONGEST_FIGHT_SECONDS: u32 = 50;
/// The first pause of the tests.
const FIRST_PAUSE_SECONDS: f64 = 0.5;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_keeps_changing_the_secret_costs_a_handful_of_events() {
    let (world, _operator, first) = ready("fight").await;
    let extra = |round: u32| json!({"data": {"extra": BASE64.encode(round.to_string().as_bytes())}});
    let (told, most) = fight(&world, ConditionType::Reconciling, extra).await;
    assert!(told.message.contains("keeps changing the Secret"), "{}", told.message);
    let events = world.events("ci", "SecretDriftCorrected").await;
    assert!((2..=most).contains(&events.len()), "at most {most}: {events:?}");
    assert_eq!((world.count().await, world.value("ci-secret", "token").await), (1, first));
    let alone = |secret: &k8s_openapi::api::core::v1::Secret| secret.data.as_ref().is_some_and(|data| data.len() == 1);
    world.until_secret("ci-secret", "the last word is the spec's", alone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_keeps_changing_the_token_costs_a_handful_of_tokens() {
    let (world, _operator, _) = ready("fight-token").await;
    world.patch("ci", json!({"spec": {"rotation": {"overlap": "0s"}}})).await;
    let other = |round: u32| json!({"data": {"token": BASE64.encode(round.to_string().as_bytes())}});
    let (_, most) = fight(&world, ConditionType::Ready, other).await;
    let made = world.count().await;
    assert!((3..=1 + most).contains(&made), "{made} tokens, at most {most} corrections");
    // Until the last correction, `Ready` may be that of the one before, and the Secret holds what the other one wrote.
    let ours = |secret: &k8s_openapi::api::core::v1::Secret| {
        secret.data.as_ref().is_some_and(|data| data["token"].0.starts_with(b"ref_"))
    };
    world.until_secret("ci-secret", "the last word is a token", ours).await;
    world.until_ready("ci").await;
    world.agrees("ci", "ci-secret").await;
}

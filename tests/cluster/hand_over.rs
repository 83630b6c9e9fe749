//! Services without an API for tokens: a person makes each token at the service's pages, hands it over in a Secret, and revokes it there.

use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::ledger::Proof;
use artifact_token_operator::api::reason::Reason;
use kube::ResourceExt;
use serde_json::{Value, json};
use support::acts::ledger;
use support::objects::{artifact_token, seal_service};
use support::{OVERLAP_MILLISECONDS, World, attempt, condition, is_ready};
use testbed::Operator;

const TOKENS: &str = "/seal/settings/tokens";

/// A world with a service object of Seal, as the reference service plays it.
pub async fn seal(prefix: &str) -> World {
    let world = World::bare(prefix).await;
    world.apply(&seal_service(&world.service.base_url())).await;
    world
}

pub fn token(change: impl FnOnce(&mut Value)) -> String {
    artifact_token("ci", |spec| {
        spec["serviceRef"] = json!({"name": "seal"});
        spec["parameters"] = json!({"type": "Production"});
        change(spec);
    })
}

/// Makes a token as a person does, and returns its value.
pub async fn made(world: &World) -> String {
    world.service.make_by_hand(TOKENS, "name=ci&type=Production&expiry=Never").await.expect("make a token")
}

/// Hands it over as a person does.
pub async fn hands_over(world: &World, value: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "ci-hand-over", "labels": {"artifact-token.dev/hand-over": "ci"}},
        "stringData": {"token": format!("{value}\n")},
    });
    world.apply(&secret.to_string()).await;
}

/// Revokes the token with this value as a person does.
async fn revokes(world: &World, number: usize) {
    let id = world.made().await[number].id.clone();
    world.revoke_by_person(&id).await;
}

/// A world whose token is the first that was handed over.
async fn ready(prefix: &str) -> (World, Operator, String) {
    let world = seal(prefix).await;
    let operator = world.operator().await;
    world.apply(&token(|_| {})).await;
    world.until_reason("ci", ConditionType::HandOverDue, Reason::HandOverDue).await;
    let first = made(&world).await;
    hands_over(&world, &first).await;
    world.until_ready("ci").await;
    (world, operator, first)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_handed_over_replaced_and_revoked_by_hand_and_the_object_goes_once_all_are_dead() {
    let world = seal("handover").await;
    let mut operator = world.operator().await;
    world.apply(&token(|_| {})).await;
    let due = world.until_reason("ci", ConditionType::HandOverDue, Reason::HandOverDue).await;
    for part in ["Settings > Tokens", "type Production", "without an expiry", "ci-hand-over", "hand-over ci"] {
        assert!(due.message.contains(part), "{part}: {}", due.message);
    }
    world.until_reason("ci", ConditionType::Ready, Reason::HandOverDue).await;
    assert!(world.token("ci").await.finalizers().is_empty(), "nothing has begun");
    assert_eq!(world.until_event("ci", "HandOverDue").await.0, "Warning");

    let first = made(&world).await;
    hands_over(&world, &first).await;
    world.until_ready("ci").await;
    assert_eq!(world.value("ci-secret", "token").await, first, "without the line break");
    world.until("ci", "the offer is gone", |token| condition(token, ConditionType::HandOverDue).is_none()).await;
    world.until_absent("ci-hand-over").await;
    let token = world.token("ci").await;
    assert_eq!((attempt(&token), ledger(&token).current.unwrap().id.as_str()), (1, "hand-over-1"));
    assert_eq!(world.until_event("ci", "HandOverAccepted").await.0, "Normal");

    // A rotation: the old value is kept until its end is proved, also by a process that never saw it.
    world.annotate("ci", ROTATE_REQUESTED_AT, "1").await;
    world.until_reason("ci", ConditionType::HandOverDue, Reason::HandOverDue).await;
    assert!(is_ready(&world.token("ci").await), "the old token works");
    let second = made(&world).await;
    hands_over(&world, &second).await;
    world.until_attempt("ci", 2).await;
    assert_eq!(world.value("ci-secret", "token").await, second);
    assert_eq!(world.value("ci-artifact-token-previous", "hand-over-1").await, first);
    let pending = world.until_reason("ci", ConditionType::RevocationPending, Reason::RevokeByHand).await;
    assert!(pending.message.contains("Settings > Tokens") && pending.message.contains("attempt 1"), "{pending:?}");
    operator.process().kill();
    let _operator = world.operator().await;
    revokes(&world, 0).await;
    let token = world.until("ci", "the old token is proved dead", |token| ledger(token).superseded.is_empty()).await;
    let dead = ledger(&token).history[0].clone();
    assert_eq!((dead.id.as_str(), dead.proof), ("hand-over-1", Proof::Refused));
    world.until_absent("ci-artifact-token-previous").await;

    // The deletion waits for the person.
    world.delete("ci").await;
    let deleting = world.until_reason("ci", ConditionType::RevocationPending, Reason::RevokeByHand).await;
    assert!(deleting.message.contains("skip-revocation") && deleting.message.contains("attempt 2"), "{deleting:?}");
    revokes(&world, 1).await;
    world.until_gone("ci").await;
    assert!(world.secret("ci-secret").await.is_none());
    assert_eq!(world.service.books().await.unwrap().calls.revoke, 0, "the operator revokes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_a_used_and_an_expired_token_are_refused_once_and_kept_and_the_current_one_is_untouched() {
    let (world, _operator, first) = ready("refusedhand").await;
    world.until_absent("ci-hand-over").await;
    let refused = |count: usize| {
        let world = &world;
        async move {
            let look = || async {
                let notes = world.events("ci", "HandOverRefused").await;
                if notes.len() == count { Ok(notes) } else { Err(format!("{notes:#?}")) }
            };
            testbed::poll("refusals", support::DEADLINE, look).await.unwrap_or_else(|error| panic!("{error:#}"))
        }
    };
    // A stranger's value; then the current one; then one that has expired.
    hands_over(&world, "never-issued").await;
    let notes = refused(1).await;
    assert!(notes[0].contains("does not accept"), "{notes:?}");
    assert!(!notes[0].contains("never-issued"));
    world.patch_secret("ci-hand-over", json!({"metadata": {"labels": {"team": "ci"}}})).await;
    world.patch_secret("ci-hand-over", json!({"stringData": {"token": first}})).await;
    let notes = refused(2).await;
    assert!(notes.iter().any(|note| note.contains("in use already")), "{notes:?}");
    let other = made(&world).await;
    let expired = json!({"stringData": {"token": other, "expirationTime": "2026-01-01"}});
    world.patch_secret("ci-hand-over", expired).await;
    let notes = refused(3).await;
    assert!(notes.iter().any(|note| note.contains("has expired")), "{notes:?}");
    let token = world.token("ci").await;
    assert!(is_ready(&token) && attempt(&token) == 1, "{:#?}", token.status);
    assert_eq!(world.value("ci-secret", "token").await, first);
    assert_eq!(world.value("ci-hand-over", "token").await, other, "kept");
    assert!(ledger(&token).superseded.is_empty() && ledger(&token).possibly_lost.is_empty());
    // What is put right is taken up.
    world.patch_secret("ci-hand-over", json!({"data": {"expirationTime": null}})).await;
    world.until("ci", "the right one is current", |token| attempt(token) > 1).await;
    assert_eq!(world.value("ci-secret", "token").await, other);
    assert_eq!(refused(3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_taken_out_of_the_secret_is_put_back_from_memory() {
    let (world, _operator, first) = ready("putback").await;
    world.delete_secret("ci-secret").await;
    let back = |secret: &k8s_openapi::api::core::v1::Secret| {
        secret.data.as_ref().is_some_and(|data| data.get("token").is_some_and(|value| value.0 == first.as_bytes()))
    };
    world.until_secret("ci-secret", "the token is back", back).await;
    world.until_ready("ci").await;
    assert_eq!(attempt(&world.token("ci").await), 1, "no other token was asked for");
    world.patch_secret("ci-secret", json!({"data": {"token": "anVuaw=="}})).await;
    world.until_secret("ci-secret", "the token is back again", back).await;
    world.until_ready("ci").await;
    assert!(world.until_event("ci", "SecretDriftCorrected").await.1.contains("attempt 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaked_token_is_told_at_once_and_asked_about_until_a_person_has_revoked_it() {
    let (world, _operator, first) = ready("leakhand").await;
    let long = u64::MAX / 1_000_000_000_000;
    assert!(OVERLAP_MILLISECONDS < long);
    let leak = json!({"spec": {"rotation": {"revokeIssuedBefore": "2100-01-01T00:00:00Z", "overlap": "1h"}}});
    world.patch("ci", leak).await;
    world.until_reason("ci", ConditionType::RevocationPending, Reason::RevokeByHand).await;
    let due = world.until_reason("ci", ConditionType::HandOverDue, Reason::HandOverDue).await;
    assert!(due.message.contains("leaked"), "{}", due.message);
    assert_eq!(world.value("ci-secret", "token").await, first, "consumers keep what works");
    let second = made(&world).await;
    hands_over(&world, &second).await;
    world.until_attempt("ci", 2).await;
    revokes(&world, 0).await;
    let token = world.until("ci", "the leaked one is dead", |token| ledger(token).superseded.is_empty()).await;
    assert!(ledger(&token).leak.unwrap().replaced_time.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaked_token_that_a_person_revokes_first_is_no_strangers_once_another_one_replaces_it() {
    let (world, _operator, _) = ready("leakfirst").await;
    world.patch("ci", json!({"spec": {"rotation": {"revokeIssuedBefore": "2100-01-01T00:00:00Z"}}})).await;
    world.until_reason("ci", ConditionType::RevocationPending, Reason::RevokeByHand).await;
    revokes(&world, 0).await;
    let dead = |token: &ArtifactToken| {
        let due = condition(token, ConditionType::HandOverDue).map(|due| due.message.clone());
        due.is_some_and(|due| due.starts_with("the last token is dead: make a token"))
    };
    world.until("ci", "the leaked one is dead, and a new one is due", dead).await;
    hands_over(&world, &made(&world).await).await;
    world.until_attempt("ci", 2).await;
    world.until_event("ci", "EmergencyRotationCompleted").await;
    assert_eq!(world.events("ci", "OrphanedTokenFound").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_service_generates_its_next_token_once_it_declares_how() {
    let (world, _operator, _) = ready("automatic").await;
    let url = world.service.base_url();
    let by_api = json!({
        "apiVersion": "artifact-token.dev/v1alpha1", "kind": "TokenService", "metadata": {"name": "api"},
        "spec": {"preset": "Custom", "baseURL": url, "operations": {"verify": {
            "request": {"method": "GET", "path": "/v1/whoami", "headers": {"Authorization": "Bearer {{ token }}"}},
            "accepted": {"statuses": [200]}, "refused": {"statuses": [401]},
        }}, "connection": {"insecureHTTP": true}, "limits": {"requestsPerMinute": 6000}},
    });
    world.apply(&by_api.to_string()).await;
    let own = artifact_token("own", |spec| spec["serviceRef"] = json!({"name": "api"}));
    world.apply(&own).await;
    world.until_reason("own", ConditionType::HandOverDue, Reason::HandOverDue).await;
    let (_, value) = world.generate_as("by-hand").await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "own-hand-over", "labels": {"artifact-token.dev/hand-over": "own"}},
        "stringData": {"token": value},
    });
    world.apply(&secret.to_string()).await;
    world.until_ready("own").await;
    let mut automatic = by_api.clone();
    world.apply(&support::credential_yaml(world.service.admin_key())).await;
    automatic["spec"]["preset"] = json!("Reference");
    automatic["spec"]["naming"] = json!({"prefix": "test"});
    automatic["spec"]["credentials"] = json!({"adminKey": {"name": "reference-admin", "key": "key"}});
    automatic["spec"].as_object_mut().unwrap().remove("operations");
    world.apply(&automatic.to_string()).await;
    world.annotate("own", ROTATE_REQUESTED_AT, "1").await;
    let token = world.until("own", "it is generated", |token| attempt(token) == 2).await;
    assert!(ledger(&token).current.unwrap().hand_over.is_none());
    assert!(ledger(&token).superseded[0].handed_over, "a person revokes the old one");
    let by_hand = world.made().await.iter().find(|row| row.name == "by-hand").unwrap().id.clone();
    world.until_reason("own", ConditionType::RevocationPending, Reason::RevokeByHand).await;
    world.revoke_by_person(&by_hand).await;
    world.until("own", "the old one is dead", |token| ledger(token).superseded.is_empty()).await;
    world.delete("own").await;
    world.until_gone("own").await;
}

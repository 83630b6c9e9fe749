use serde_json::{Value, json};

use super::*;

const EARLY: &str = "2026-12-01T08:00:00Z";
const BEFORE: &str = "2026-12-01T09:00:00Z";
const LATE: &str = "2026-12-01T09:00:01Z";

fn token(status: &Value) -> ArtifactToken {
    serde_json::from_value(json!({
        "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken",
        "metadata": {"name": "ci", "namespace": "ci", "generation": 2},
        "spec": {"serviceRef": {"name": "r"}, "rotation": {"policy": "Disabled"},
            "secret": {"name": "ci-token", "data": [{"key": "token", "format": "Raw"}]}},
        "status": status,
    }))
    .unwrap()
}

fn current(attempt: u32, claimed: &str) -> Value {
    json!({"attempt": attempt, "id": format!("tok_{attempt}"), "claimedTime": claimed, "issuedTime": claimed, "publishedTime": claimed,
        "verifiedTime": claimed, "probed": true})
}

fn leak(before: &str) -> Value {
    json!({"objectIssuedBefore": before, "claimedBefore": before})
}

fn seen(status: Value) -> Progress {
    progress(&token(&status), Asked { kind: Kind::Token, before: Time::parse(BEFORE).unwrap() })
}

#[test]
fn a_leaked_token_is_dead_only_once_it_left_the_ledger() {
    assert_eq!(seen(json!({"current": current(7, EARLY)})), Progress::Unnoticed);
    let living = Progress::Living("attempt 7 (id tok_7)".to_owned());
    assert_eq!(seen(json!({"current": current(7, EARLY), "leak": leak(BEFORE)})), living);
    let waits = json!([{"attempt": 7, "id": "tok_7", "claimedTime": EARLY, "revokeAfterTime": EARLY}]);
    assert_eq!(seen(json!({"superseded": waits, "leak": leak(BEFORE)})), living);
    assert_eq!(seen(json!({"current": current(8, LATE), "leak": leak(BEFORE)})), Progress::Dead);
    assert_eq!(seen(json!({"current": current(8, LATE), "leak": leak(LATE)})), Progress::Dead, "somebody asked again");
    let earlier = json!({"current": current(7, EARLY), "leak": leak(EARLY)});
    assert_eq!(seen(earlier), Progress::Unnoticed, "an earlier leak");
}

#[test]
fn what_may_live_unseen_is_never_told_dead() {
    let lost = json!([{"attempt": 8, "nonce": "abcdefgh", "time": EARLY}]);
    assert!(matches!(seen(json!({"lost": lost, "leak": leak(BEFORE)})), Progress::Living(_)));
    let possibly = json!([{"attempt": 8, "claimedTime": EARLY}]);
    let Progress::Yours(what) = seen(json!({"possiblyLost": possibly.clone(), "leak": leak(BEFORE)})) else {
        panic!("it may live")
    };
    assert!(what.contains("look for a token of 2026-12-01T08:00:00Z (attempt 8) at the service"), "{what}");
    let both = json!({"possiblyLost": possibly, "current": current(7, EARLY), "leak": leak(BEFORE)});
    assert!(matches!(seen(both), Progress::Living(_)), "the operator ends the other one first");
    let open = json!({"attempt": 8, "nonce": "abcdefgh", "time": EARLY});
    assert!(matches!(seen(json!({"claim": open, "leak": leak(BEFORE)})), Progress::Living(_)));
    let unknown = json!([{"attempt": 3, "id": "tok_3", "revokeAfterTime": LATE}]);
    let Progress::Living(which) = seen(json!({"superseded": unknown, "leak": leak(BEFORE)})) else {
        panic!("it may live")
    };
    assert!(which.contains("of an unknown time, which is revoked after"), "{which}");
}

#[test]
fn an_object_without_a_token_from_before_has_nothing_to_revoke() {
    assert_eq!(seen(json!({"observedGeneration": 1})), Progress::Unnoticed);
    assert_eq!(seen(json!({"observedGeneration": 2})), Progress::Dead);
}

#[test]
fn a_token_that_a_person_made_is_theirs_to_revoke() {
    let asks = json!([{"type": "RevocationPending", "status": "True", "reason": "RevokeByHand", "message": "revoke by hand (page): it",
        "lastTransitionTime": EARLY}]);
    let old = json!([{"attempt": 7, "id": "hand-over-7", "handedOver": true, "claimedTime": EARLY, "revokeAfterTime": EARLY}]);
    let yours = seen(json!({"superseded": old, "conditions": asks, "leak": leak(BEFORE)}));
    assert_eq!(yours, Progress::Yours("waits for you: revoke by hand (page): it".to_owned()));
}

#[test]
fn each_death_is_told_with_how_it_was_seen() {
    let waits = json!([{"attempt": 6, "id": "tok_6", "claimedTime": EARLY, "revokeAfterTime": EARLY},
        {"attempt": 5, "id": "tok_5", "claimedTime": EARLY, "revokeAfterTime": EARLY}]);
    let mut deaths = Deaths::of(&token(&json!({"current": current(7, EARLY), "superseded": waits})));
    let dead = |attempt: u32, proof: &str| json!({"attempt": attempt, "id": format!("tok_{attempt}"), "revokedTime": LATE, "proof": proof});
    deaths.see(&token(&json!({"history": [dead(7, "Refused")]})));
    // The history has lost the first one by now.
    let end = token(&json!({"current": current(8, LATE), "history": [dead(6, "Answered")]}));
    deaths.see(&end);
    assert_eq!(
        deaths.lines(&end),
        [
            "attempt 7 (id tok_7) is dead: the service refuses it",
            "attempt 6 (id tok_6) counts as dead: the service said so, and nobody could see it; look there",
            "attempt 5 (id tok_5) has left the ledger, and its proof is not kept any more",
        ]
    );
}

use serde_json::{Value, json};

use super::*;
use crate::rotation::observed::ByHand;

const CLAIMED: &str = "2026-11-01T00:00:00Z";

fn ledger(leak: Value) -> Ledger {
    let secret = |version: &str| json!({"uid": "u", "resourceVersion": version});
    let current = json!({"attempt": 2, "id": "hand-over-2", "nonce": "bbbbbbbb", "handOver": secret("5"),
        "claimedTime": CLAIMED, "issuedTime": CLAIMED, "publishedTime": CLAIMED, "verifiedTime": CLAIMED,
        "requestDigest": "", "credentialsRevision": "", "probed": true, "secretResourceVersion": ""});
    let old = json!({"attempt": 1, "id": "hand-over-1", "nonce": "aaaaaaaa", "handedOver": true,
        "claimedTime": CLAIMED, "revokeAfterTime": "2027-01-01T00:00:00Z"});
    let claim = json!({"attempt": 3, "nonce": "cccccccc", "time": CLAIMED, "requestDigest": "",
        "handOver": {"uid": "new", "resourceVersion": "7"}});
    let text = json!({"current": current, "superseded": [old], "claim": claim, "leak": leak});
    serde_json::from_value(text).unwrap()
}

fn at(uid: &str, version: &str) -> HandOver {
    HandOver { uid: uid.to_owned(), resource_version: version.to_owned() }
}

const NEW: Brought = Brought::Token { known_as: None, like: None };

#[test]
fn a_token_is_taken_up_once_and_only_if_it_is_a_new_one() {
    let is = |id: &str| Brought::Token { known_as: TokenId::new(id), like: None };
    let ends_like = |id: &str| Brought::Token { known_as: None, like: TokenId::new(id) };
    let (new, current, old) = (NEW, is("hand-over-2"), is("hand-over-1"));
    let nothing = Brought::Nothing("it has no value".to_owned());
    for (secret, brought, expected) in [
        (at("new", "7"), &new, "Ready"),
        (at("u", "5"), &new, "Taken"),
        (at("u", "6"), &current, "Taken"),
        (at("u", "6"), &new, "Ready"),
        (at("new", "7"), &current, "attempt 2, which is in use already"),
        (at("u", "6"), &old, "attempt 1, which is to be revoked"),
        (at("u", "5"), &nothing, "it has no value"),
        (at("u", "5"), &ends_like("hand-over-2"), "Taken"),
        // It may be that token, and then it is known already, or another, and then its value must not go with its Secret.
        (at("u", "6"), &ends_like("hand-over-2"), "its last letters are those of the token of attempt 2"),
        (at("new", "7"), &ends_like("hand-over-1"), "its last letters are those of the token of attempt 1"),
    ] {
        let judged = format!("{:?}", judge(&ledger(Value::Null), &secret, brought));
        assert!(judged.contains(expected), "{secret:?} {brought:?}: {judged}, not {expected}");
    }
}

#[test]
fn the_version_whose_token_failed_after_its_publish_is_not_taken_up_again_by_whoever_does_not_know_its_value() {
    let mut failed = ledger(Value::Null);
    failed.superseded[0].id = TokenId::of_hand_over(3);
    failed.superseded[0].attempt = 3;
    let judged = judge(&failed, &at("new", "7"), &NEW);
    assert!(matches!(&judged, OfferState::Refused(why) if why.contains("attempt 3")), "{judged:?}");
    assert_eq!(judge(&failed, &at("new", "8"), &NEW), OfferState::Ready);
}

#[test]
fn what_leaked_is_not_taken_up() {
    let leaked = ledger(json!({"claimedBefore": "2026-11-02T00:00:00Z"}));
    assert!(matches!(judge(&leaked, &at("new", "7"), &NEW), OfferState::Refused(why) if why.contains("leaked")));
    assert_eq!(judge(&leaked, &at("new", "8"), &NEW), OfferState::Ready, "another version may have a new one");
}

#[test]
fn a_token_is_to_be_revoked_since_its_overlap_its_leak_or_the_deletion() {
    let time = |text: &str| Time::parse(text).unwrap();
    let (before, after) = (time("2026-12-01T00:00:00Z"), time("2027-02-01T00:00:00Z"));
    let since = |leak: Value, deleted: Option<Time>, now: Time| {
        ledger(leak).to_revoke(deleted, |_| true, now).iter().map(|owed| (owed.attempt, owed.since)).collect::<Vec<_>>()
    };
    let leak = json!({"claimedBefore": "2026-11-02T00:00:00Z"});
    assert_eq!(since(Value::Null, None, before), []);
    assert_eq!(since(Value::Null, None, after), [(1, time("2027-01-01T00:00:00Z"))]);
    assert_eq!(since(Value::Null, Some(before), before), [(1, before), (2, before)]);
    let leaked = time("2026-11-02T00:00:00Z");
    assert_eq!(since(leak, Some(before), before), [(1, leaked), (2, leaked)]);
    assert_eq!(ledger(Value::Null).to_revoke(None, |_| false, after), [], "the Secret still holds it");
}

#[test]
fn the_record_of_a_failure_tells_it_before_the_secret_is_read_again() {
    let mut failed = ledger(Value::Null);
    failed.superseded[0].id = TokenId::of_hand_over(3);
    failed.superseded[0].attempt = 3;
    let told = |state: OfferState| {
        let by_hand = ByHand { offer: Some(Offer { secret: at("new", "7"), state }), ..ByHand::default() };
        refused(&Observed { ledger: failed.clone(), by_hand, ..Observed::default() })
    };
    for state in [OfferState::Unread, OfferState::Ready] {
        let why = told(state.clone()).unwrap_or_default();
        assert!(why.contains("attempt 3, which is to be revoked"), "{state:?}: {why}");
    }
    assert_eq!(told(OfferState::Taken), None);
}

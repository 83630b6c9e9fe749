#![allow(clippy::unwrap_used)]

use super::*;
use crate::api::ids::samples::{id, nonce};
use crate::api::ledger::Proof;

fn object(version: &str, attempt: Option<u32>) -> Arc<ArtifactToken> {
    let claim = attempt.map(|attempt| {
        serde_json::json!({"claim": {"attempt": attempt, "nonce": "x", "time": "2026-01-01T00:00:00Z", "outcome": "Verified"}})
    });
    let object = serde_json::json!({
        "apiVersion": "artifact-token.dev/v1alpha1", "kind": "ArtifactToken",
        "metadata": {"name": "ci", "resourceVersion": version},
        "spec": {
            "serviceRef": {"name": "reference"}, "rotation": {"policy": "Disabled"},
            "secret": {"name": "ci", "data": [{"key": "token", "format": "Raw"}]},
        },
        "status": claim,
    });
    Arc::new(serde_json::from_value(object).unwrap())
}

fn claimed(memory: &mut Memory, attempt: u32) {
    memory.claimed(Lost { attempt, nonce: nonce(attempt.to_string()), time: Time::from_millis(0) });
}

#[test]
fn a_cache_that_lags_does_not_count_and_one_that_is_ahead_does() {
    let (mut memory, listed) = (Memory::default(), Instant::now());
    memory.remember(object("9", None), &object("8", None));
    assert_eq!(version(&memory.newest(object("8", None), listed)), "9");
    assert_eq!(version(&memory.newest(object("10", None), listed)), "10");
    assert!(!memory.restored && memory.forgotten.is_empty());
}

#[test]
fn a_later_list_with_an_older_version_is_of_a_store_that_was_put_back() {
    let mut memory = Memory::default();
    (1..=3).for_each(|attempt| claimed(&mut memory, attempt));
    memory.remember(object("9", Some(3)), &object("8", Some(3)));
    assert_eq!(version(&memory.newest(object("5", Some(1)), Instant::now())), "5");
    assert!(memory.restored);
    let forgotten: Vec<_> = memory.forgotten.iter().map(|lost| lost.attempt).collect();
    assert_eq!(forgotten, [2, 3], "the store knows the first");
}

#[test]
fn one_copy_of_an_object_is_kept_and_a_later_list_is_still_compared_with_its_version() {
    let (mut memory, listed) = (Memory::default(), Instant::now());
    memory.remember(object("9", None), &object("8", None));
    let cached = object("9", None);
    assert!(Arc::ptr_eq(&memory.newest(cached.clone(), listed), &cached));
    assert!(memory.object.as_ref().is_some_and(|own| Arc::ptr_eq(&own.object, &cached)));
    assert_eq!(version(&memory.newest(object("5", None), Instant::now())), "5");
    assert!(memory.restored);
}

#[test]
fn what_only_this_process_knows_of_a_version_stays_and_so_does_the_version_over_many_lists() {
    let (mut memory, listed) = (Memory::default(), Instant::now());
    memory.remember(object("9", Some(3)), &object("8", None));
    let newest = memory.newest(object("9", Some(1)), listed);
    assert_eq!(newest.status.as_ref().map(|status| status.ledger.highest_attempt()), Some(3));
    for _ in 0..3 {
        memory.newest(object("9", Some(1)), Instant::now());
    }
    assert!(!memory.restored);
    memory.newest(object("5", Some(1)), Instant::now());
    assert!(memory.restored, "the store was put back half an hour and more after the last write");
}

#[test]
fn what_another_process_took_away_is_not_recorded_again_at_the_next_answer_that_says_nothing() {
    let (mut memory, at) = (Memory::default(), |second: i64| Time::from_millis(second * 1000));
    memory.note_unclear(id("t"), "status 502".to_owned(), at(1));
    memory.yield_unclear(at(2));
    assert!(memory.unclear_about(&id("t")).is_some(), "nothing was recorded yet");
    memory.unclear.iter_mut().for_each(|seen| seen.recorded = true);
    memory.note_unclear(id("t"), "status 502".to_owned(), at(9));
    memory.yield_unclear(at(10));
    assert_eq!((memory.unclear_about(&id("t")), memory.accepted), (None, Some(at(10))));
}

#[test]
fn tokens_that_another_process_revoked_are_forgotten() {
    let mut memory = Memory::default();
    let ledger: Ledger = serde_json::from_value(serde_json::json!({
        "claim": {"attempt": 4, "nonce": "4", "time": "2026-01-01T00:00:00Z"},
        "superseded": [{"attempt": 2, "nonce": "2", "id": "old", "revokeAfterTime": "2026-01-01T00:00:00Z"}],
    }))
    .unwrap();
    (1..=5).for_each(|attempt| claimed(&mut memory, attempt));
    memory.values = [(id("old"), "a".into()), (id("dead"), "b".into())].into();
    memory.restored = true;
    memory.forget_dead(&ledger);
    assert_eq!((memory.claims.len(), memory.values.len()), (5, 2), "the ledger may be one that a restore put back");
    memory.restored = false;
    memory.forget_dead(&ledger);
    let claims: Vec<_> = memory.claims.iter().map(|claim| claim.attempt).collect();
    assert_eq!(claims, [2, 4, 5], "the newest one may not be in the cache yet");
    assert!(memory.values.contains_key(&id("old")) && memory.values.len() == 1);
}

#[test]
fn a_live_read_that_went_back_counts_more_than_a_cache_that_stands_still() {
    let (mut memory, listed) = (Memory::default(), Instant::now());
    assert_eq!(version(&memory.newest(object("9", None), listed)), "9");
    memory.remember(object("5", None), &object("9", None));
    memory.remember(object("6", None), &object("5", None));
    assert!(memory.restored);
    assert_eq!(version(&memory.newest(object("9", None), listed)), "6");
    assert_eq!(version(&memory.newest(object("5", None), listed)), "6", "it lags, but is of the same store");
    assert_eq!(version(&memory.newest(object("7", None), listed)), "7");
}

#[test]
fn a_deletion_keeps_what_it_revoked_when_somebody_edits_the_object() {
    let old = serde_json::json!({"superseded": [
        {"attempt": 2, "nonce": "2", "id": "old", "revokeAfterTime": "2026-01-01T00:00:00Z"},
    ]});
    let deleted = |version| {
        let mut token = ArtifactToken::clone(&object(version, None));
        let metadata =
            serde_json::json!({"name": "ci", "resourceVersion": version, "deletionTimestamp": "2026-01-01T00:00:00Z"});
        token.metadata = serde_json::from_value(metadata).unwrap();
        token.status = serde_json::from_value(old.clone()).unwrap();
        token
    };
    let mut own = deleted("8");
    own.status.as_mut().unwrap().ledger.revoked(2, &id("old"), Proof::Refused, Time::from_millis(9));
    let (mut memory, listed) = (Memory::default(), Instant::now());
    memory.remember(Arc::new(own), &deleted("8"));
    let edited = memory.newest(Arc::new(deleted("9")), listed);
    assert_eq!(version(&edited), "9");
    assert!(!edited.status.as_ref().unwrap().ledger.knows(&id("old")));
}

//! The ledger's transitions one by one; `moves` has them in random order.
#![allow(clippy::unwrap_used, clippy::panic)]

mod moves;

use super::*;
use crate::api::ids::samples::{id, nonce};
use crate::api::ledger::LeakTimes;
use crate::api::reason::Reason;

const FIRST_RETRY: Duration = Duration::from_secs(30);

fn at(seconds: u64) -> Time {
    Time::from_millis(1_800_000_000_000).plus(Duration::from_secs(seconds))
}

fn claim(attempt: u32, time: Time) -> Claim {
    let (nonce, request_digest) = (nonce(format!("n{attempt}")), "digest".to_owned());
    Claim { attempt, nonce, time, request_digest, request: None, hand_over: None, outcome: None }
}

fn current(attempt: u32, time: Time) -> Current {
    Current {
        attempt,
        id: id(format!("t{attempt}")),
        nonce: nonce(format!("n{attempt}")),
        credentials_revision: String::new(),
        hint: None,
        request_digest: "digest".to_owned(),
        claimed_time: time,
        issued_time: time,
        published_time: time,
        verified_time: time,
        probed: true,
        refused_time: None,
        rejected_time: None,
        unclear: None,
        last_used_time: None,
        hand_over: None,
        reminded_days: None,
        expiration_time: None,
        secret_resource_version: String::new(),
    }
}

fn failure(generation: i64, at_least: u64) -> Failure {
    Failure {
        reason: Reason::TokenGenerationFailed,
        message: "no".to_owned(),
        generation,
        first_retry: FIRST_RETRY,
        at_least: Duration::from_secs(at_least),
    }
}

fn row(attempt: u32) -> Row {
    Row::new(id(format!("t{attempt}")), attempt, nonce(format!("n{attempt}")))
}

fn bounded(ledger: &Ledger) -> bool {
    ledger.superseded.len() <= MAX_SUPERSEDED
        && ledger.lost.len() <= MAX_LOST
        && ledger.possibly_lost.len() <= MAX_POSSIBLY_LOST
        && ledger.history.len() <= MAX_HISTORY
}

/// Attempt 1 verified, attempt 2 claimed.
fn rotating() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.claimed(claim(1, at(0)), None, true);
    ledger.verified(&claim(1, at(0)), current(1, at(5)), &[], at(600));
    ledger.claimed(claim(2, at(1000)), None, true);
    ledger
}

/// Two processes read the API server's clock in whole seconds, so one may stamp a claim up to a second later than the other notices
/// a leak of it.
#[test]
fn a_leak_noticed_by_a_clock_that_is_behind_covers_every_token_known_then() {
    let noticed = at(1100);
    let stamps = [at(1000), at(1101), at(5000)];
    for (first, second) in stamps.into_iter().flat_map(|first| stamps.map(|second| (first, second))) {
        let mut ledger = Ledger::default();
        ledger.verified(&claim(1, first), current(1, first), &[], at(9000));
        ledger.claimed(claim(2, second), None, true);
        let mut verified = ledger.clone();
        verified.verified(&claim(2, second), current(2, second), &[], at(9000));
        for mut ledger in [ledger, verified] {
            ledger.leaked(LeakTimes { object: Some(at(8000)), service: None }, noticed);
            assert!(ledger.leak_covers(first) && ledger.leak_covers(second), "{first} {second}: {ledger:#?}");
            assert!(ledger.leak.unwrap().replaced_time.is_none(), "{first} {second}");
        }
    }
}

#[test]
fn a_request_is_handled_by_the_token_that_was_claimed_for_it() {
    let mut ledger = rotating();
    ledger.handled_requests.rotate = Some("0".to_owned());
    let asked = Claim { request: Some("1".to_owned()), ..claim(3, at(1100)) };
    ledger.claimed(asked.clone(), None, true);
    assert_eq!(ledger.handled_requests.rotate.as_deref(), Some("0"));
    ledger.verified(&asked, current(3, at(1110)), &[], at(1700));
    assert_eq!(ledger.handled_requests.rotate.as_deref(), Some("1"));
    ledger.verified(&claim(4, at(1200)), current(4, at(1210)), &[], at(1800));
    assert_eq!(ledger.handled_requests.rotate.as_deref(), Some("1"));
}

#[test]
fn an_abandoned_claim_whose_token_is_in_the_ledger_is_not_a_lost_one() {
    let mut ledger = rotating();
    ledger.orphans_found(&[row(2)], &[], at(2000));
    ledger.abandoned(&claim(2, at(1000)), true, failure(1, 0), at(1500));
    assert!(ledger.lost.is_empty(), "{:?}", ledger.lost);
}

/// The ids in the order of the ledger, and whether each is current, superseded or dead.
fn standing(ledger: &Ledger) -> String {
    let current = ledger.current.iter().map(|current| format!("{} current", current.id));
    let superseded = ledger.superseded.iter().map(|old| {
        let how = if old.unpublished { "unpublished" } else { "superseded" };
        format!("{} {how} +{}", old.id, old.revoke_after_time.since(at(0)).as_secs())
    });
    let lost = ledger.lost.iter().map(|lost| format!("{} lost", lost.nonce));
    let possibly = ledger.possibly_lost.iter().map(|lost| format!("{} possibly lost", lost.attempt));
    let dead = ledger.history.iter().map(|dead| format!("{} dead", dead.id));
    let all = current.chain(superseded).chain(lost).chain(possibly).chain(dead);
    all.collect::<Vec<_>>().join(", ")
}

#[test]
fn each_transition_puts_every_token_where_it_belongs() {
    let check = |change: &dyn Fn(&mut Ledger), outcome: Option<Outcome>, wanted: &str| {
        let mut ledger = rotating();
        change(&mut ledger);
        assert_eq!(standing(&ledger), wanted);
        assert_eq!(ledger.claim.unwrap().outcome, outcome, "{wanted}");
    };
    let two = claim(2, at(1000));
    let failed = Some(Outcome::Failed);
    let fail = |leftover: Leftover| {
        move |ledger: &mut Ledger| {
            ledger.failed(&claim(2, at(1000)), leftover.clone(), failure(1, 0), at(1010));
        }
    };
    check(&|_| {}, None, "t1 current");
    let verified = |ledger: &mut Ledger| ledger.verified(&two, current(2, at(1010)), &[], at(1610));
    check(&verified, Some(Outcome::Verified), "t2 current, t1 superseded +1610");
    check(&fail(Leftover::Nothing), failed, "t1 current");
    check(&fail(Leftover::Unpublished(id("t2"))), failed, "t1 current, t2 unpublished +1010");
    let published = Leftover::Published { id: id("t2"), revoke_after: at(1700), held: true };
    check(&fail(published), failed, "t1 current, t2 superseded +1700");
    check(&fail(Leftover::Unknown { attributable: false }), failed, "t1 current, 2 possibly lost");
    check(&fail(Leftover::Unknown { attributable: true }), failed, "t1 current, n2 lost");
    check(&|ledger| ledger.abandoned(&two, true, failure(1, 0), at(1200)), failed, "t1 current, n2 lost");
    check(&|ledger| ledger.abandoned(&two, false, failure(1, 0), at(1200)), failed, "t1 current, 2 possibly lost");
    check(&|ledger| ledger.claimed(claim(3, at(1200)), Some(two.clone()), true), None, "t1 current, n2 lost");
    check(&|ledger| ledger.orphans_found(&[row(2)], &[], at(1800)), None, "t1 current, t2 superseded +1800");
    check(&|ledger| ledger.orphans_found(&[row(1)], &[], at(1800)), None, "t1 current");
    check(&|ledger| ledger.revoked(1, &id("t1"), Proof::Refused, at(1100)), None, "t1 dead");
    check(&|ledger| ledger.revoke_failed(1, &id("t1"), FIRST_RETRY, at(1100)), None, "t1 superseded +1100");
}

#[test]
fn an_orphan_is_recorded_once_and_no_longer_lost() {
    let mut ledger = rotating();
    ledger.abandoned(&claim(2, at(1000)), true, failure(1, 0), at(1200));
    ledger.orphans_found(&[row(2), row(2)], &[id("t2")], at(1800));
    ledger.orphans_found(&[row(2)], &[], at(9999));
    assert_eq!(standing(&ledger), "t1 current, t2 superseded +1800");
}

#[test]
fn an_orphan_that_its_own_process_gives_up_later_stays_as_it_was_recorded() {
    let mut ledger = rotating();
    ledger.orphans_found(&[row(2)], &[], at(1800));
    ledger.failed(&claim(2, at(1000)), Leftover::Unpublished(id("t2")), failure(1, 0), at(1010));
    assert_eq!(standing(&ledger), "t1 current, t2 superseded +1800");
    ledger.failed(
        &claim(2, at(1000)),
        Leftover::Published { id: id("t2"), revoke_after: at(1900), held: false },
        failure(1, 0),
        at(1020),
    );
    assert_eq!(standing(&ledger), "t1 current, t2 superseded +1800");
    assert_eq!(ledger.failures, None, "the ledger tracks it already");
}

#[test]
fn orphans_without_room_stay_lost_and_leave_room_for_the_operators_own_tokens() {
    let mut ledger = rotating();
    let lost = |attempt: u32| Lost { attempt, nonce: nonce(format!("n{attempt}")), time: at(1000) };
    ledger.lost = vec![lost(70), lost(99)];
    ledger.orphans_found(&(10..100).map(row).collect::<Vec<_>>(), &[], at(1800));
    assert_eq!((ledger.superseded.len(), ledger.lost.len()), (MAX_ORPHANS, 2));
    ledger.verified(&claim(2, at(1000)), current(2, at(1010)), &[], at(1610));
    ledger.revoke_failed(2, &id("t2"), FIRST_RETRY, at(2000));
    assert!(bounded(&ledger));
}

#[test]
fn a_lost_claim_whose_token_the_secret_holds_can_still_be_decided() {
    let mut ledger = rotating();
    ledger.abandoned(&claim(2, at(1000)), true, failure(1, 0), at(1200));
    ledger.claimed(claim(3, at(1300)), None, true);
    ledger.verified(&claim(2, at(1000)), current(2, at(1310)), &[], at(1900));
    assert_eq!(standing(&ledger), "t2 current, t1 superseded +1900");
    assert_eq!(ledger.claim, Some(claim(3, at(1300))), "the newest claim stays undecided");
}

#[test]
fn a_lost_claim_is_forgotten_after_a_day() {
    let mut ledger = rotating();
    ledger.abandoned(&claim(2, at(1000)), true, failure(1, 0), at(1200));
    ledger.claimed(claim(3, at(1000 + LOST_FOR.as_secs() - 1)), None, true);
    assert_eq!(ledger.lost.len(), 1);
    ledger.claimed(claim(4, at(1000 + LOST_FOR.as_secs())), None, true);
    assert_eq!(ledger.lost.len(), 0);
}

#[test]
fn the_back_off_doubles_up_to_an_hour() {
    for (count, seconds) in [(0, 30), (1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (17, 3600), (u32::MAX, 3600)] {
        assert_eq!(backoff(FIRST_RETRY, count), Duration::from_secs(seconds), "{count}");
    }
    assert_eq!(backoff(Duration::ZERO, 9), Duration::ZERO);
    assert_eq!(backoff(Duration::MAX, 9), MAX_RETRY_DELAY);
}

#[test]
fn failures_count_until_the_spec_changes_or_an_attempt_succeeds() {
    let mut ledger = Ledger::default();
    let mut check = |generation: i64, at_least: u64, count: u32, delay: u64| {
        ledger.failed(&claim(1, at(0)), Leftover::Nothing, failure(generation, at_least), at(100));
        let failures = ledger.failures.clone().unwrap();
        assert_eq!((failures.count, failures.next_try_time), (count, at(100 + delay)));
    };
    check(1, 0, 1, 30);
    check(1, 0, 2, 60);
    check(1, 300, 3, 300);
    check(2, 0, 1, 30);
    check(2, 0, 2, 60);
    ledger.abandoned(&claim(1, at(0)), true, failure(2, 0), at(100));
    assert_eq!(ledger.failures.as_ref().unwrap().count, 3, "a lost answer is a failure, too");
    ledger.verified(&claim(1, at(0)), current(1, at(200)), &[], at(800));
    assert_eq!(ledger.failures, None);
}

#[test]
fn a_failed_revoke_waits_for_its_own_back_off_and_keeps_its_place() {
    let mut ledger = rotating();
    ledger.verified(&claim(2, at(1000)), current(2, at(1010)), &[], at(1610));
    for (tries, delay) in [(1, 30), (2, 60), (3, 120)] {
        ledger.revoke_failed(1, &id("t1"), FIRST_RETRY, at(2000));
        let old = &ledger.superseded[0];
        assert_eq!((old.tries, old.next_try_time, old.revoke_after_time), (tries, Some(at(2000 + delay)), at(1610)));
    }
}

#[test]
fn a_rejected_token_keeps_the_first_time() {
    let mut ledger = rotating();
    ledger.rejected(at(1100));
    ledger.rejected(at(1200));
    assert_eq!(ledger.current.unwrap().rejected_time, Some(at(1100)));
}

#[test]
fn tokens_that_die_one_after_the_other_are_replaced_at_most_once_in_the_first_hour_and_once_a_day_after_three() {
    let mut ledger = rotating();
    let mut rejected = |attempt: u32, claimed: u64, now: u64| {
        ledger.current = Some(Current { claimed_time: at(claimed), ..current(attempt, at(claimed)) });
        ledger.rejected(at(now));
        let refusals = ledger.refusals.clone().unwrap();
        (refusals.count, refusals.next_replacement_time)
    };
    let (hour, day) = (3600, 24 * 3600);
    assert_eq!(rejected(1, 0, 5000), (1, at(5000)));
    assert_eq!(rejected(2, 5000, 5100), (2, at(5000 + hour)));
    assert_eq!(rejected(3, 8600, 8700), (3, at(8600 + hour)));
    assert_eq!(rejected(4, 12_200, 12_300), (4, at(12_200 + day)));
    assert_eq!(rejected(5, 98_600, 98_600 + day), (5, at(98_600 + day)), "it lived longer than the pause");
    assert_eq!(rejected(6, 400_000, 400_000 + 2 * day), (1, at(400_000 + 2 * day)), "two days are a new beginning");
}

#[test]
fn a_digest_is_filled_in_where_there_is_none() {
    let mut ledger =
        Ledger { current: Some(Current { request_digest: String::new(), ..current(1, at(0)) }), ..rotating() };
    for other in ["filled", "later"] {
        ledger.fill_in_digest(other);
        assert_eq!(ledger.current.as_ref().unwrap().request_digest, "filled");
    }
}

#[test]
fn a_rotation_is_complete_with_the_death_of_its_last_older_token_and_of_no_failed_one() {
    let mut ledger = Ledger { current: Some(current(4, at(0))), ..rotating() };
    ledger.superseded =
        [2, 3, 5].map(|attempt| of_claim(&claim(attempt, at(0)), id(format!("t{attempt}")), at(9))).into();
    for (dead, completes) in [(2, false), (5, false), (3, true)] {
        ledger.revoked(dead, &id(format!("t{dead}")), Proof::Refused, at(10));
        assert_eq!(ledger.completed_by(dead).is_some(), completes, "attempt {dead}");
    }
}

#[test]
fn a_token_that_was_refused_while_it_was_current_is_known_as_dead_once_it_is_superseded() {
    let mut ledger = rotating();
    ledger.rejected(at(1100));
    ledger.verified(&claim(2, at(1200)), current(2, at(1210)), &[], at(1810));
    assert_eq!(ledger.superseded[0].rejected_time, Some(at(1100)));
}

#[test]
fn what_says_nothing_about_a_token_ends_with_its_rejection() {
    let mut ledger = rotating();
    let unclear = Unclear { since_time: at(1100), message: "status 418".to_owned() };
    ledger.unclear(Some(unclear.clone()));
    assert_eq!(ledger.current.as_ref().unwrap().unclear, Some(unclear));
    ledger.rejected(at(1200));
    assert_eq!(ledger.current.unwrap().unclear, None);
}

#[test]
fn one_that_lives_beside_a_doomed_token_is_the_current_one_or_a_later_one_that_the_secret_holds() {
    let mut ledger = Ledger { current: Some(current(3, at(0))), ..Ledger::default() };
    ledger.orphans_found(&[row(2), row(4)], &[], at(0));
    let controls = |ledger: &Ledger, doomed: u32, held: u32| -> Vec<String> {
        let doomed = (doomed, &id(format!("t{doomed}")));
        let found = ledger.controls(doomed, at(100), |one| *one == id(format!("t{held}")));
        found.into_iter().map(ToString::to_string).collect()
    };
    assert_eq!(controls(&ledger, 2, 3), ["t3"]);
    assert_eq!(controls(&ledger, 2, 4), ["t3", "t4"], "a failed one, or the ledger went back");
    assert_eq!(controls(&ledger, 4, 2), ["t3"], "an older one may have been put back by anybody");
    assert_eq!(controls(&ledger, 4, 4), ["t3"]);
    assert!(controls(&ledger, 3, 4).is_empty(), "the current one is to die itself");
    ledger.current.as_mut().unwrap().expiration_time = Some(at(101));
    assert_eq!(controls(&ledger, 2, 3), ["t3"]);
    ledger.current.as_mut().unwrap().expiration_time = Some(at(100));
    assert!(controls(&ledger, 2, 3).is_empty(), "it has expired, and no list shows it");
    ledger.current.as_mut().unwrap().expiration_time = None;
    ledger.current.as_mut().unwrap().rejected_time = Some(at(1));
    assert!(controls(&ledger, 2, 4).is_empty());
}

//! When a rotation and a verification are due.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::api::ids::Nonce;
use crate::api::ids::samples::id;
use crate::api::ledger::{LeakTimes, Ledger};
use crate::rotation::desired::{Instructions, Timings};
use crate::rotation::observed::{Content, Facts, Ours, SecretState, Secrets};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The time so many seconds after the token was issued.
fn at(count: u64) -> Time {
    Time::from_millis(1_800_000_000_000).plus(seconds(count))
}

fn desired() -> Desired {
    Desired {
        halt: None,
        suspended: false,
        interval: Some(seconds(30 * DAY)),
        spread: seconds(DAY),
        rotate_before: None,
        overlap: seconds(600),
        rotate_issued_before: None,
        revoke_issued_before: LeakTimes::default(),
        probe: true,
        verification_interval: seconds(12 * HOUR),
        request_digest: "digest".to_owned(),
        by_hand: Instructions::default(),
        timings: Timings::derive(seconds(30), seconds(60), seconds(30), seconds(30)),
    }
}

fn current(expiration_time: Option<Time>) -> Current {
    Current {
        attempt: 3,
        id: id("current"),
        nonce: Nonce::default(),
        credentials_revision: String::new(),
        hint: None,
        request_digest: "digest".to_owned(),
        claimed_time: at(0).minus(seconds(1)),
        issued_time: at(0),
        published_time: at(1),
        verified_time: at(2),
        probed: true,
        refused_time: None,
        rejected_time: None,
        unclear: None,
        last_used_time: None,
        hand_over: None,
        reminded_days: None,
        expiration_time,
        secret_resource_version: String::new(),
    }
}

fn observed(current: Option<Current>) -> Observed {
    let id = Some(id("current"));
    let ours = Ours { attempt: 3, id, content: Content::Token, ..Ours::default() };
    Observed {
        ledger: Ledger { current, ..Ledger::default() },
        secrets: Secrets::one(true, SecretState::Ours(ours)),
        ..Observed::default()
    }
}

type Cause = fn(&mut Desired, &mut Observed);

/// Changes that each make a rotation due. When several hold, the trigger names the one that is first here.
const CAUSES: [(Trigger, Cause); 8] = [
    (Trigger::First, |_, observed| observed.ledger.current = None),
    (Trigger::Rejected, |_, observed| observed.ledger.rejected(at(5))),
    (Trigger::Drift, |_, observed| observed.secrets.seen[0].state = SecretState::Absent),
    (Trigger::Expiry, |_, observed| {
        observed.ledger.current =
            observed.ledger.current.take().map(|old| Current { expiration_time: Some(at(HOUR)), ..old });
    }),
    (Trigger::IssuedBefore, |desired, _| desired.rotate_issued_before = Some(at(HOUR))),
    (Trigger::Request, |_, observed| observed.object.requests.rotate = Some("now".to_owned())),
    (Trigger::Spec, |desired, _| desired.request_digest = "another".to_owned()),
    (Trigger::Interval, |desired, _| desired.interval = Some(seconds(2 * DAY))),
];

#[test]
fn the_trigger_names_the_first_of_several_causes() {
    for first in 0..CAUSES.len() {
        for last in first..CAUSES.len() {
            let (mut desired, mut observed) = (desired(), observed(Some(current(None))));
            assert_eq!(trigger(&desired, &observed, at(DAY)), None);
            for (_, cause) in CAUSES[first..=last].iter().rev() {
                cause(&mut desired, &mut observed);
            }
            assert_eq!(trigger(&desired, &observed, at(DAY)), Some(CAUSES[first].0), "{first} to {last}");
        }
    }
}

#[test]
fn a_token_that_an_older_version_recorded_without_a_digest_counts_as_unchanged() {
    let check = |recorded: &str, wanted: Option<Trigger>| {
        let current = Current { request_digest: recorded.to_owned(), ..current(None) };
        assert_eq!(trigger(&desired(), &observed(Some(current)), at(DAY)), wanted, "{recorded:?}");
    };
    check("digest", None);
    check("", None);
    check("another", Some(Trigger::Spec));
}

#[test]
fn a_request_is_answered_once_and_its_removal_has_no_effect() {
    let check = |asked: Option<&str>, handled: Option<&str>, wanted: Option<Trigger>| {
        let mut observed = observed(Some(current(None)));
        observed.object.requests.rotate = asked.map(str::to_owned);
        observed.ledger.handled_requests.rotate = handled.map(str::to_owned);
        assert_eq!(trigger(&desired(), &observed, at(DAY)), wanted, "{asked:?} {handled:?}");
    };
    check(None, None, None);
    check(Some("a"), None, Some(Trigger::Request));
    check(Some("a"), Some("a"), None);
    check(Some("b"), Some("a"), Some(Trigger::Request));
    check(None, Some("a"), None);
}

#[test]
fn a_token_is_replaced_at_its_interval_less_the_spread() {
    let check = |interval: Option<u64>, spread: u64, due: Option<u64>| {
        let desired = Desired { interval: interval.map(seconds), spread: seconds(spread), ..desired() };
        assert_eq!(next_rotation(&desired, &current(None)), due.map(at), "{interval:?} {spread}");
        let Some(due) = due else { return };
        let observed = observed(Some(current(None)));
        assert_eq!(trigger(&desired, &observed, at(due).minus(Duration::from_millis(1))), None);
        assert_eq!(trigger(&desired, &observed, at(due)), Some(Trigger::Interval));
    };
    check(None, 0, None);
    check(Some(30 * DAY), 0, Some(30 * DAY));
    check(Some(30 * DAY), DAY, Some(29 * DAY));
    // A spread as long as the interval would make rotation loop.
    check(Some(DAY), DAY, Some(DAY / 2));
    check(Some(HOUR), DAY, Some(HOUR / 2));
}

#[test]
fn a_rotation_comes_before_the_expiry_and_never_loops() {
    let check = |life: Time, rotate_before: Option<u64>, due: Time| {
        let desired = Desired { interval: None, rotate_before: rotate_before.map(seconds), ..desired() };
        assert_eq!(next_rotation(&desired, &current(Some(life))), Some(due), "{life:?} {rotate_before:?}");
        assert!(due >= at(120), "a replacement takes this long");
    };
    check(at(30 * DAY), None, at(20 * DAY));
    check(at(30 * DAY), Some(DAY), at(29 * DAY));
    // The service grants less life than requested: the rotation comes at half of it, whatever `rotateBefore` says.
    check(at(HOUR), Some(DAY), at(HOUR / 2));
    check(at(HOUR), None, at(HOUR * 2 / 3));
    // The shortest life in which a replacement can come, and a second less.
    check(at(121), Some(DAY), at(120));
    check(at(120), None, at(HOUR));
    // A life of seconds, or an expiry in the past.
    check(at(10), Some(DAY), at(HOUR));
    check(at(0), None, at(HOUR));
    check(at(0).minus(seconds(30 * DAY)), None, at(HOUR));
    check(Time::from_millis(0), Some(DAY), at(HOUR));
    let latest = Time::parse("9999-12-31T23:59:59.999Z").unwrap();
    check(latest, Some(DAY), latest.minus(seconds(DAY)));
    assert!(expiry_due(&desired(), &current(Some(latest))).unwrap() > at(100 * 365 * DAY));
}

#[test]
fn the_next_rotation_is_the_earliest_of_all_causes_with_a_time() {
    let mut desired = Desired { interval: None, ..desired() };
    assert_eq!(next_rotation(&desired, &current(None)), None);
    desired.interval = Some(seconds(3 * DAY));
    assert_eq!(next_rotation(&desired, &current(None)), Some(at(2 * DAY)));
    assert_eq!(next_rotation(&desired, &current(Some(at(DAY * 3 / 2)))), Some(at(DAY)));
    desired.rotate_issued_before = Some(at(HOUR));
    assert_eq!(next_rotation(&desired, &current(Some(at(DAY * 3 / 2)))), Some(at(HOUR)));
    desired.rotate_issued_before = Some(current(None).claimed_time);
    assert_eq!(next_rotation(&desired, &current(None)), Some(at(2 * DAY)), "claimed at that time is not before it");
}

#[test]
fn a_restart_keeps_the_fixed_times_of_verifications() {
    let slot = 12 * HOUR;
    let check = |accepted: Option<u64>, now: u64, due: u64| {
        let seen = accepted.map_or_else(|| last_slot(&desired(), &current(None), at(now)), at);
        let due_time =
            verification_due(&desired(), &current(None), &Facts { accepted: Some(seen), ..Facts::default() });
        assert_eq!(due_time, Some(at(due)), "{accepted:?} at {now}");
    };
    check(None, 2, 2 + slot);
    check(None, 1, 2 + slot);
    check(None, 2 + slot - 1, 2 + slot);
    // A process that starts in the second slot waits for its end, so that a crash loop does not flood the service with calls.
    check(None, 2 + slot, 2 + 2 * slot);
    check(None, 2 + 5 * slot + 7, 2 + 6 * slot);
    check(Some(2 + slot + 5), 2 + slot + 9, 2 + 2 * slot + 5);
    check(Some(2 + slot), 9 * slot, 2 + 2 * slot);
    // An acceptance from before the verification belongs to another token.
    check(Some(0), 5, 2 + slot);
}

#[test]
fn a_leaked_token_has_its_turn_after_older_ones_when_the_rate_limit_has_room() {
    let turn = |older: u32, per_minute: u32| leak_turn(older, 5, per_minute, at(0)).since(at(0)).as_secs();
    let turns: Vec<u64> = (0..6).map(|older| turn(older, 60)).collect();
    assert_eq!(turns, [0, 0, 0, 5, 10, 15], "three answers of five calls each at once, then one every 5 s");
    assert_eq!(turn(2, 6000), 0);
    assert_eq!((turn(0, 1), turn(1, 1)), (300, 600));
    assert!(turn(u32::MAX, 0) > 300, "for any numbers");
}

#[test]
fn nothing_is_verified_without_probe_or_interval() {
    let check = |probe: bool, interval: u64| {
        let desired = Desired { probe, verification_interval: seconds(interval), ..desired() };
        assert_eq!(verification_due(&desired, &current(None), &Facts::default()), None);
    };
    check(false, HOUR);
    check(true, 0);
    check(false, 0);
}

#[test]
fn the_shortest_lifetime_that_is_accepted_leaves_time_for_a_replacement() {
    let desired = desired();
    let shortest = shortest_lifetime(&desired.timings);
    let seconds = Duration::from_secs(1);
    for (life, in_time) in
        [(shortest, true), (shortest + seconds, true), (desired.timings.publish_deadline + seconds, false)]
    {
        let current = current(Some(at(0).plus(life)));
        let due = next_rotation(&Desired { interval: None, ..desired.clone() }, &current).unwrap();
        let left = at(0).plus(life).since(due);
        assert_eq!(left >= desired.timings.publish_deadline / 2, in_time, "{life:?}: {left:?} are left");
    }
}

//! The conditions in each situation.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::api::condition::ConditionType;
use crate::api::ids::samples::id;
use crate::api::ids::{Nonce, TokenId};
use crate::api::ledger::{Failures, Superseded, Unclear};
use crate::rotation::observed::{Content, Ours, SecretState};

fn current() -> Current {
    Current {
        attempt: 7,
        id: id("t7"),
        nonce: Nonce::default(),
        credentials_revision: String::new(),
        hint: None,
        request_digest: String::new(),
        claimed_time: Time::from_millis(0),
        issued_time: Time::from_millis(0),
        published_time: Time::from_millis(0),
        verified_time: Time::from_millis(0),
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

/// No Secret.
static NO_SECRETS: Secrets = Secrets { seen: Vec::new() };

fn resting(ledger: &Ledger) -> Situation<'_> {
    Situation {
        secrets: &NO_SECRETS,
        ledger,
        phase: Phase::Resting,
        transient_failure: None,
        contest: None,
        hand_over_due: None,
        page: "",
        holds_current: true,
        wanted: false,
        deleting: false,
        suspended: false,
        generation: 3,
        now: Time::from_millis(1000),
        waited: Time::from_millis(1000),
    }
}

fn parts(ledger: &Ledger, phase: Phase, change: impl Fn(&mut Situation)) -> Vec<(ConditionType, bool, Reason)> {
    let mut situation = Situation { phase, ..resting(ledger) };
    change(&mut situation);
    let made = conditions(&situation, &[]);
    made.iter().map(|made| (made.type_, made.status == ConditionStatus::True, made.reason)).collect()
}

#[test]
fn a_refusal_that_nothing_confirms_is_neither_yes_nor_no_and_says_what_happens_next() {
    let mut ledger = Ledger { current: Some(current()), ..Ledger::default() };
    ledger.refused(Time::from_millis(0));
    let situation = resting(&ledger);
    let made = conditions(&situation, &[]);
    assert_eq!((made.len(), made[0].status), (1, ConditionStatus::Unknown));
    for words in ["attempt 7", "1970-01-01T00:00:00Z", "asked about again", "rotate-requested-at"] {
        assert!(made[0].message.contains(words), "{}", made[0].message);
    }
}

/// A token whose overlap ends at second 9.
fn superseded() -> Superseded {
    Superseded {
        attempt: 6,
        id: id("t6"),
        nonce: Nonce::default(),
        credentials_revision: String::new(),
        claimed_time: None,
        revoke_after_time: Time::from_millis(9000),
        unpublished: false,
        held: false,
        rejected_time: None,
        handed_over: false,
        hint: None,
        tries: 0,
        next_try_time: None,
        failure: String::new(),
    }
}

#[test]
fn a_revoke_that_is_due_is_told_apart_only_when_its_turn_takes_long() {
    let ledger = Ledger { current: Some(current()), superseded: vec![superseded()], ..Ledger::default() };
    let message = |second: u64| {
        let now = Time::from_millis(0).plus(Duration::from_secs(second));
        let made = conditions(&Situation { now, ..resting(&ledger) }, &[]);
        made.into_iter().find(|made| made.type_ == ConditionType::RevocationPending).unwrap().message
    };
    assert_eq!(message(0), message(68), "a revoke in its turn costs no write of the status");
    assert!(message(69).contains("in its turn"), "{}", message(69));
}

#[test]
fn a_valid_token_stays_ready_through_rotation_overlap_and_a_failed_attempt() {
    use ConditionType as T;
    let mut ledger = Ledger { current: Some(current()), ..Ledger::default() };
    assert_eq!(parts(&ledger, Phase::Resting, |_| {}), [(T::Ready, true, Reason::TokenValid)]);
    assert_eq!(
        parts(&ledger, Phase::Working, |_| {}),
        [(T::Ready, true, Reason::TokenValid), (T::Reconciling, true, Reason::Rotating)]
    );
    ledger.superseded.push(superseded());
    assert_eq!(
        parts(&ledger, Phase::Resting, |_| {}),
        [(T::Ready, true, Reason::TokenValid), (T::RevocationPending, true, Reason::OverlapActive)]
    );
    ledger.superseded[0].tries = 2;
    ledger.failures = Some(Failures {
        count: 1,
        next_try_time: Time::from_millis(5000),
        generation: 3,
        reason: Reason::VerificationFailed,
        message: String::new(),
    });
    assert_eq!(
        parts(&ledger, Phase::Resting, |situation| situation.wanted = true),
        [
            (T::Ready, true, Reason::TokenValid),
            (T::RevocationPending, true, Reason::RevocationFailed),
            (T::RotationFailed, true, Reason::VerificationFailed)
        ]
    );
}

#[test]
fn without_a_usable_token_ready_says_why() {
    use ConditionType as T;
    let halt = Halt::stalled(Reason::SecretConflict, "");
    let check = |ledger: &Ledger, phase: Phase, change: &dyn Fn(&mut Situation), wanted: &[(T, bool, Reason)]| {
        assert_eq!(parts(ledger, phase, change), wanted);
    };
    let none = Ledger::default();
    check(
        &none,
        Phase::Resting,
        &|_| {},
        &[(T::Ready, false, Reason::Issuing), (T::Reconciling, true, Reason::Issuing)],
    );
    check(
        &none,
        Phase::Halted(&halt),
        &|_| {},
        &[(T::Ready, false, Reason::SecretConflict), (T::Stalled, true, Reason::SecretConflict)],
    );
    check(&none, Phase::Resting, &|situation| situation.suspended = true, &[(T::Ready, false, Reason::Suspended)]);
    let mut refused = Ledger { current: Some(current()), ..Ledger::default() };
    refused.refused(Time::from_millis(5));
    check(&refused, Phase::Resting, &|_| {}, &[(T::Ready, false, Reason::RefusalUnconfirmed)]);
    let mut rejected = Ledger { current: Some(current()), ..Ledger::default() };
    rejected.rejected(Time::from_millis(5));
    check(
        &rejected,
        Phase::Resting,
        &|_| {},
        &[(T::Ready, false, Reason::TokenRejected), (T::Reconciling, true, Reason::Issuing)],
    );
    let ended = Current { expiration_time: Some(Time::from_millis(1000)), ..current() };
    let expired = Ledger { current: Some(ended), ..Ledger::default() };
    check(
        &expired,
        Phase::Resting,
        &|_| {},
        &[(T::Ready, false, Reason::TokenExpired), (T::Reconciling, true, Reason::Issuing)],
    );
}

#[test]
fn a_condition_keeps_its_time_until_its_status_changes() {
    let ledger = Ledger { current: Some(current()), ..Ledger::default() };
    let mut situation = resting(&ledger);
    let first = conditions(&situation, &[]);
    situation.now = Time::from_millis(2000);
    assert_eq!(conditions(&situation, &first)[0].last_transition_time, Time::from_millis(1000));
    situation.holds_current = false;
    assert_eq!(conditions(&situation, &first)[0].last_transition_time, Time::from_millis(2000));
}

#[test]
fn a_fight_over_the_secret_is_told_with_who_may_fight_and_what_to_do() {
    let ledger = Ledger { current: Some(current()), ..Ledger::default() };
    let next = Time::from_millis(60_000);
    let contest = Contest { corrections: 3, next, over: Time::from_millis(100_000), rival: Some("helm".to_owned()) };
    let shown = |holds_current| {
        let situation = Situation { contest: Some(&contest), holds_current, ..resting(&ledger) };
        let made = conditions(&situation, &[]);
        made.iter().map(|made| (made.type_, made.status == ConditionStatus::True, made.reason)).collect::<Vec<_>>()
    };
    let reconciling = (ConditionType::Reconciling, true, Reason::SecretContested);
    assert_eq!(shown(true), [(ConditionType::Ready, true, Reason::TokenValid), reconciling]);
    assert_eq!(shown(false), [(ConditionType::Ready, false, Reason::SecretContested), reconciling]);
    let message = contest.message();
    assert!(
        message.contains("helm") && message.contains("3 times") && message.contains(&next.to_string()),
        "{message}"
    );
}

fn message(situation: &Situation, type_: ConditionType) -> String {
    conditions(situation, &[]).into_iter().find(|made| made.type_ == type_).unwrap().message
}

#[test]
fn the_time_of_the_next_attempt_is_told_only_while_it_lies_ahead() {
    let failures = Failures {
        count: 1,
        next_try_time: Time::from_millis(5000),
        generation: 3,
        reason: Reason::TokenGenerationFailed,
        message: "no".to_owned(),
    };
    let mut ledger = Ledger { failures: Some(failures), ..Ledger::default() };
    let told = |ledger: &Ledger, type_, millis| {
        message(&Situation { now: Time::from_millis(millis), wanted: true, ..resting(ledger) }, type_)
    };
    let ahead = format!("the next attempt is at {}", Time::from_millis(5000));
    assert!(told(&ledger, ConditionType::Ready, 4999).ends_with(&ahead));
    assert!(told(&ledger, ConditionType::Ready, 5000).ends_with("the next attempt is on its way"));
    ledger.current = Some(current());
    assert!(told(&ledger, ConditionType::RotationFailed, 5000).ends_with("the next attempt is on its way"));
}

#[test]
fn a_token_that_the_service_refuses_is_not_told_to_live() {
    let rejected_time = Some(Time::from_millis(7));
    let dead = |tries| Superseded { rejected_time, tries, ..superseded() };
    let ledger = |superseded| Ledger { current: Some(current()), superseded, ..Ledger::default() };
    let told = |ledger: &Ledger| {
        let parts = parts(ledger, Phase::Resting, |_| {});
        (parts[1].2, message(&resting(ledger), ConditionType::RevocationPending))
    };
    for tries in [0, 1] {
        let (reason, message) = told(&ledger(vec![dead(tries)]));
        assert_eq!(reason, Reason::OverlapActive);
        assert!(message.contains("refuses attempt 6") && message.contains("to be certain"), "{message}");
    }
    let failing = Superseded { tries: 3, attempt: 5, ..superseded() };
    let (reason, message) = told(&ledger(vec![dead(1), failing]));
    assert_eq!(reason, Reason::RevocationFailed, "one that may live comes first");
    assert!(message.contains("attempt 5"), "{message}");
}

#[test]
fn answers_that_say_nothing_leave_the_token_ready_and_are_told_with_their_beginning() {
    let unclear = Unclear { since_time: Time::from_millis(9), message: "verify: status 418".to_owned() };
    let ledger = Ledger { current: Some(Current { unclear: Some(unclear), ..current() }), ..Ledger::default() };
    assert_eq!(
        parts(&ledger, Phase::Resting, |_| {}),
        [
            (ConditionType::Ready, true, Reason::TokenValid),
            (ConditionType::VerificationUnclear, true, Reason::AnswerUndeclared)
        ]
    );
    let since = Time::from_millis(9).to_string();
    assert!(message(&resting(&ledger), ConditionType::Ready).ends_with(&format!("verified, but not since {since}")));
    let told = message(&resting(&ledger), ConditionType::VerificationUnclear);
    assert!(told.contains(&since) && told.contains("status 418"), "{told}");
}

#[test]
fn a_deletion_tells_what_it_waits_for() {
    let failure = TransientFailure { reason: Reason::ServiceNotReady, message: "list: status 500".to_owned() };
    let ledger = Ledger { current: Some(current()), ..Ledger::default() };
    let situation = Situation { deleting: true, transient_failure: Some(&failure), ..resting(&ledger) };
    assert!(message(&situation, ConditionType::Ready).ends_with("Now: list: status 500"));
}

/// A Secret that holds the token of this attempt.
fn secrets(attempt: u32, id: TokenId) -> Secrets {
    let ours = Ours { attempt, id: Some(id), fence: attempt, content: Content::Token, rendered: true, content_hash: 0 };
    Secrets::one(true, SecretState::Ours(ours))
}

#[test]
fn a_person_is_asked_to_revoke_a_token_once_the_secret_holds_a_later_one_that_was_verified() {
    let failed = Superseded {
        attempt: 5,
        id: TokenId::of_hand_over(5),
        handed_over: true,
        revoke_after_time: Time::from_millis(0),
        ..superseded()
    };
    let ledger = |current| Ledger { current, superseded: vec![failed.clone()], ..Ledger::default() };
    let asks = |ledger: &Ledger, secrets: &Secrets| {
        let made = conditions(&Situation { secrets, ..resting(ledger) }, &[]);
        made.iter().any(|made| made.reason == Reason::RevokeByHand)
    };
    assert!(!asks(&ledger(None), &secrets(5, TokenId::of_hand_over(5))), "the only one, which failed there");
    assert!(!asks(&ledger(None), &secrets(6, TokenId::of_hand_over(6))), "the next one is not verified yet");
    assert!(!asks(&ledger(Some(current())), &secrets(5, TokenId::of_hand_over(5))), "it is still there");
    assert!(asks(&ledger(Some(current())), &secrets(7, current().id)));
}

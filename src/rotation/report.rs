//! The conditions that people read, made from the ledger and the result of a pass. Pure.

use std::time::Duration;

use crate::api::condition::{Condition, ConditionStatus, ConditionType, told};
use crate::api::ledger::{Current, Failures, Ledger, Proof, Refusals, Superseded};
use crate::api::reason::Reason;
use crate::api::time::Time;

use super::desired::Halt;
use super::hand_over::revoke_by_hand;
use super::observed::Secrets;
use super::schedule::expired;

/// A revoke whose turn takes longer than this is shown as waiting; a shorter one saves the write.
const TURN_IS_LONG: Duration = Duration::from_secs(60);

/// The result of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase<'a> {
    /// Steps are running.
    Working,
    /// There is nothing to do before some later time.
    Resting,
    /// No new token may be made.
    Halted(&'a Halt),
}

/// A step that failed transiently and is tried again. The conditions report it while it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransientFailure {
    /// The reason of the condition.
    pub reason: Reason,
    /// What happened and what happens next.
    pub message: String,
}

/// Somebody else changes the Secret again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contest {
    /// How often it was corrected in a row.
    pub corrections: u32,
    /// When it may be corrected again.
    pub next: Time,
    /// When the contest counts as over, if the Secret stays as it is.
    pub over: Time,
    /// Who changed it last, as the Secret's managed fields say. Anybody may write any name there.
    pub rival: Option<String>,
}

impl Contest {
    fn message(&self) -> String {
        let who = match &self.rival {
            Some(name) => format!("somebody else ({name}, as the Secret's managedFields say)"),
            None => "somebody else".to_owned(),
        };
        format!(
            "{who} keeps changing the Secret: it was corrected {} times in a row, and is corrected again at {} at the earliest. Find \
             out what writes it and end that, or let only one of the two have this Secret",
            self.corrections, self.next
        )
    }
}

/// What the conditions describe.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The ledger after the pass.
    pub ledger: &'a Ledger,
    /// The Secrets as the pass saw them last.
    pub secrets: &'a Secrets,
    /// The result of the pass.
    pub phase: Phase<'a>,
    /// A step that failed transiently.
    pub transient_failure: Option<&'a TransientFailure>,
    /// Somebody else keeps changing the Secret.
    pub contest: Option<&'a Contest>,
    /// A person must make a token and hand it over: why, and how.
    pub hand_over_due: Option<&'a str>,
    /// Where the service's pages have the tokens; empty if nobody said so.
    pub page: &'a str,
    /// Whether the Secret holds the ledger's current token.
    pub holds_current: bool,
    /// Whether a new token is wanted.
    pub wanted: bool,
    /// Whether the object is being deleted.
    pub deleting: bool,
    /// `spec.suspend`.
    pub suspended: bool,
    /// The generation of the spec.
    pub generation: i64,
    /// Now.
    pub now: Time,
    /// The earliest reading of the clock that counts: waits that protect a token end by it (P7).
    pub waited: Time,
}

/// The conditions of this situation. A condition whose status did not change keeps its time from `old`.
pub fn conditions(situation: &Situation, old: &[Condition]) -> Vec<Condition> {
    let make = |(type_, status, reason, message): (ConditionType, ConditionStatus, Reason, String)| {
        let before = old.iter().find(|before| before.type_ == type_ && before.status == status);
        let last_transition_time = before.map_or(situation.now, |before| before.last_transition_time);
        let observed_generation = Some(situation.generation);
        let message = told(message.chars().take(1024).collect(), reason, before);
        Condition { type_, status, reason, message, observed_generation, last_transition_time }
    };
    let abnormal = [
        reconciling(situation),
        stalled(situation),
        revocation_pending(situation),
        rotation_failed(situation),
        unclear(situation),
        hand_over_due(situation),
    ];
    std::iter::once(ready(situation)).chain(abnormal.into_iter().flatten()).map(make).collect()
}

type ConditionParts = (ConditionType, ConditionStatus, Reason, String);

fn ready(situation: &Situation) -> ConditionParts {
    let no = |reason, message: String| (ConditionType::Ready, ConditionStatus::False, reason, message);
    if situation.deleting {
        let hindrance = situation.transient_failure.map(|failure| failure.message.clone());
        let now = to_revoke_by_hand(situation).or(hindrance).map(|now| format!(". Now: {now}"));
        let message = "the object is being deleted; its tokens are revoked first";
        return no(Reason::Deleting, format!("{message}{}", now.unwrap_or_default()));
    }
    if let Some((current, refused)) = usable(situation).and_then(|current| Some((current, current.refused_time?))) {
        let message = format!(
            "the service refuses attempt {} since {refused}, and nothing else says yet that it is dead: a service refuses good tokens, too, \
             while a part of it is away. The token is asked about again, kept if it is accepted, and replaced if its death is certain. To \
             replace it now, set the annotation artifact-token.dev/rotate-requested-at to a new value",
            current.attempt
        );
        return (ConditionType::Ready, ConditionStatus::Unknown, Reason::RefusalUnconfirmed, message);
    }
    if let Some(current) = usable(situation) {
        let reason = if current.probed { Reason::TokenValid } else { Reason::TokenUnverified };
        let how = if current.probed { "verified" } else { "published, not probed" };
        let unclear = current.unclear.as_ref().map(|unclear| format!(", but not since {}", unclear.since_time));
        let (unclear, unseen) = (unclear.unwrap_or_default(), unseen_death(situation));
        let message = format!("attempt {} {how}{unclear}{unseen}", current.attempt);
        return (ConditionType::Ready, ConditionStatus::True, reason, message);
    }
    if let Phase::Halted(halt) = situation.phase {
        return no(halt.reason, halt.message.clone());
    }
    if situation.suspended {
        return no(Reason::Suspended, "spec.suspend is true: no token is generated until it is false".to_owned());
    }
    if let Some(contest) = situation.contest {
        return no(Reason::SecretContested, contest.message());
    }
    if let Some(transient_failure) = situation.transient_failure {
        return no(transient_failure.reason, transient_failure.message.clone());
    }
    if let Some(failures) = &situation.ledger.failures {
        return no(failures.reason, format!("{}; {}", failures.message, next_attempt(failures, situation.now)));
    }
    match &situation.ledger.current {
        None if situation.ledger.leak_is_open() => {
            no(Reason::TokenRejected, format!("the token leaked and was revoked; {}", next_one(situation)))
        }
        None if situation.hand_over_due.is_some() => no(Reason::HandOverDue, next_one(situation).to_owned()),
        None => no(Reason::Issuing, "the first token is on its way".to_owned()),
        Some(current) if current.rejected_time.is_some() => no(
            Reason::TokenRejected,
            format!("the service refuses attempt {}; {}", current.attempt, replacement(situation)),
        ),
        Some(current) if expired(current, situation.now) => {
            no(Reason::TokenExpired, format!("attempt {} has expired; {}", current.attempt, next_one(situation)))
        }
        Some(_) => no(Reason::Issuing, format!("the Secret no longer holds the token; {}", next_one(situation))),
    }
}

/// That the last revoke has nothing but the service's word.
fn unseen_death(situation: &Situation) -> String {
    let last = situation.ledger.history.first().filter(|dead| dead.proof == Proof::Answered);
    last.map(|dead| format!("; the death of attempt {} (id {}) was not seen", dead.attempt, dead.id))
        .unwrap_or_default()
}

/// When the replacement of a dead token comes.
fn replacement(situation: &Situation) -> String {
    let refusals = situation.ledger.refusals.as_ref().filter(|_| situation.hand_over_due.is_none());
    match refusals.filter(|refusals| refusals.next_replacement_time > situation.now) {
        Some(Refusals { count, next_replacement_time, .. }) => format!(
            "it is the {count}. token in a row that the service stopped accepting, so a new one is generated at {next_replacement_time}; \
             set the annotation artifact-token.dev/rotate-requested-at to a new value to get one now"
        ),
        None => next_one(situation).to_owned(),
    }
}

/// Who brings the next token.
fn next_one(situation: &Situation) -> &'static str {
    match situation.hand_over_due {
        Some(_) => "a person must make a new one, as the condition HandOverDue says",
        None => "a new one is on its way",
    }
}

fn reconciling(situation: &Situation) -> Option<ConditionParts> {
    let parts =
        |reason, message: &str| Some((ConditionType::Reconciling, ConditionStatus::True, reason, message.to_owned()));
    let contest = situation.contest.filter(|_| situation.phase == Phase::Resting && !situation.deleting);
    if let Some(contest) = contest {
        return parts(Reason::SecretContested, &contest.message());
    }
    match situation.phase {
        _ if situation.deleting => parts(Reason::Deleting, "tokens are being revoked"),
        Phase::Halted(halt) if halt.stalled => None,
        Phase::Halted(halt) => parts(halt.reason, &halt.message),
        // Nothing goes on until a person has brought one.
        Phase::Working | Phase::Resting if situation.hand_over_due.is_some() => None,
        Phase::Working if situation.ledger.current.is_some() => parts(Reason::Rotating, "a rotation is in progress"),
        Phase::Working => parts(Reason::Issuing, "the first token is on its way"),
        Phase::Resting if situation.suspended || usable(situation).is_some() => None,
        Phase::Resting => parts(Reason::Issuing, "a new token is on its way"),
    }
}

fn stalled(situation: &Situation) -> Option<ConditionParts> {
    let Phase::Halted(halt) = situation.phase else { return None };
    halt.stalled.then(|| (ConditionType::Stalled, ConditionStatus::True, halt.reason, halt.message.clone()))
}

fn to_revoke_by_hand(situation: &Situation) -> Option<String> {
    let Situation { ledger, secrets, deleting, page, waited, .. } = situation;
    revoke_by_hand(ledger, secrets, *deleting, page, *waited)
}

fn hand_over_due(situation: &Situation) -> Option<ConditionParts> {
    let message = situation.hand_over_due?.to_owned();
    Some((ConditionType::HandOverDue, ConditionStatus::True, Reason::HandOverDue, message))
}

fn revocation_pending(situation: &Situation) -> Option<ConditionParts> {
    if let Some(message) = to_revoke_by_hand(situation) {
        return Some((ConditionType::RevocationPending, ConditionStatus::True, Reason::RevokeByHand, message));
    }
    let superseded = &situation.ledger.superseded;
    let first = superseded.iter().min_by_key(|old| old.revoke_after_time.max(old.next_try_time.unwrap_or_default()))?;
    // A token that the service refuses is dead; it is revoked all the same, since only that proves it.
    let failing = superseded.iter().filter(|old| old.tries > 0).min_by_key(|old| old.rejected_time.is_some());
    let (reason, message) = match failing {
        Some(Superseded { attempt, id, tries, rejected_time: Some(since), next_try_time, .. }) => (
            Reason::OverlapActive,
            format!(
                "the service refuses attempt {attempt} (id {id}) since {since}. It is revoked all the same, to be certain: {tries} tries \
                 failed, the next is at {}",
                next_try_time.unwrap_or(first.revoke_after_time)
            ),
        ),
        Some(old) => (
            Reason::RevocationFailed,
            format!(
                "attempt {} (id {}) should be dead: {} tries to revoke it failed, the next is at {}{}",
                old.attempt,
                old.id,
                old.tries,
                old.next_try_time.unwrap_or(old.revoke_after_time),
                if old.failure.is_empty() { String::new() } else { format!("; {}", old.failure) }
            ),
        ),
        None if first.revoke_after_time.plus(TURN_IS_LONG) <= situation.now => (
            Reason::OverlapActive,
            format!(
                "the overlap of attempt {} ended at {}; it {}, once the Secret holds its successor",
                first.attempt,
                first.revoke_after_time,
                if first.handed_over { "is to be revoked by hand" } else { "is revoked in its turn at the service" }
            ),
        ),
        None => (Reason::OverlapActive, revoked_at(first)),
    };
    Some((ConditionType::RevocationPending, ConditionStatus::True, reason, message))
}

fn revoked_at(old: &Superseded) -> String {
    let at = old.revoke_after_time;
    match old.rejected_time {
        Some(since) => {
            format!("the service refuses attempt {} since {since}; it is revoked at {at} to be certain", old.attempt)
        }
        None if old.handed_over => format!("attempt {} is to be revoked by hand, but not before {at}", old.attempt),
        None => format!("attempt {} is revoked at {at}", old.attempt),
    }
}

fn unclear(situation: &Situation) -> Option<ConditionParts> {
    let current = usable(situation)?;
    let unclear = current.unclear.as_ref()?;
    let message = format!(
        "since {} the service's answer about attempt {} says nothing, so nobody knows whether it works: {}. It stays in use, and the \
         service is asked until it says something",
        unclear.since_time, current.attempt, unclear.message
    );
    Some((ConditionType::VerificationUnclear, ConditionStatus::True, Reason::AnswerUndeclared, message))
}

fn rotation_failed(situation: &Situation) -> Option<ConditionParts> {
    if usable(situation).is_none() || !situation.wanted {
        return None;
    }
    let parts = |reason, message| Some((ConditionType::RotationFailed, ConditionStatus::True, reason, message));
    let Some(failures) = &situation.ledger.failures else {
        let transient_failure = situation.transient_failure.filter(|_| situation.phase == Phase::Resting)?;
        return parts(
            transient_failure.reason,
            format!("{}; the previous token stays in use", transient_failure.message),
        );
    };
    let next = next_attempt(failures, situation.now);
    let message = format!("{}; the previous token stays in use, {next}", failures.message);
    parts(failures.reason, message)
}

/// When the attempt after these comes. Its time is over while it runs, or waits for its turn.
fn next_attempt(failures: &Failures, now: Time) -> String {
    match failures.next_try_time {
        _ if failures.reason == Reason::HandOverRefused => "hand over another token".to_owned(),
        next if next > now => format!("the next attempt is at {next}"),
        _ => "the next attempt is on its way".to_owned(),
    }
}

/// The token that consumers can rely on now, as far as known: one that is refused for the moment counts.
fn usable<'a>(situation: &'a Situation) -> Option<&'a Current> {
    situation.ledger.current.as_ref().filter(|current| {
        situation.holds_current && current.rejected_time.is_none() && !expired(current, situation.now)
    })
}

#[cfg(test)]
mod tests;

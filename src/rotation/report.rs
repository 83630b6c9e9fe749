//! What is told to people: the conditions, from the ledger and what the pass came to. Pure.

use crate::api::condition::{Condition, ConditionStatus, ConditionType};
use crate::api::ledger::{Current, Ledger};
use crate::api::reason::Reason;
use crate::api::time::Time;

use super::desired::Halt;
use super::plan::leak;

/// What a pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase<'a> {
    /// Steps are running.
    Working,
    /// Nothing is to be done before some later time.
    Resting,
    /// Nothing new may be made.
    Halted(&'a Halt),
}

/// A step that failed in passing and is tried again; told while it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The word.
    pub reason: Reason,
    /// What happened and what happens next.
    pub message: String,
}

/// What the conditions speak of.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The ledger after the pass.
    pub ledger: &'a Ledger,
    /// What the pass came to.
    pub phase: Phase<'a>,
    /// A step that failed in passing.
    pub trouble: Option<&'a Trouble>,
    /// The Secret holds the ledger's current token.
    pub holds_current: bool,
    /// A new token is wanted.
    pub wanted: bool,
    /// The object is being deleted.
    pub deleting: bool,
    /// `spec.suspend`.
    pub suspended: bool,
    /// The generation of the spec.
    pub generation: i64,
    /// Now.
    pub now: Time,
}

/// The conditions of this situation. `old` gives the times of those that did not change.
pub fn conditions(situation: &Situation, old: &[Condition]) -> Vec<Condition> {
    let make = |(type_, status, reason, message): (ConditionType, ConditionStatus, Reason, String)| {
        let before = old.iter().find(|before| before.type_ == type_ && before.status == status);
        let last_transition_time = before.map_or(situation.now, |before| before.last_transition_time);
        let observed_generation = Some(situation.generation);
        let message = message.chars().take(1024).collect();
        Condition { type_, status, reason, message, observed_generation, last_transition_time }
    };
    let abnormal =
        [reconciling(situation), stalled(situation), revocation_pending(situation), rotation_failed(situation)];
    std::iter::once(ready(situation)).chain(abnormal.into_iter().flatten()).map(make).collect()
}

type Told = (ConditionType, ConditionStatus, Reason, String);

fn ready(situation: &Situation) -> Told {
    let no = |reason, message: String| (ConditionType::Ready, ConditionStatus::False, reason, message);
    if situation.deleting {
        return no(Reason::Deleting, "the object is being deleted; its tokens are revoked first".to_owned());
    }
    if let Some(current) = usable(situation) {
        let reason = if current.probed { Reason::TokenValid } else { Reason::TokenUnverified };
        let how = if current.probed { "verified" } else { "published, not probed" };
        let message = format!("attempt {} {how}", current.attempt);
        return (ConditionType::Ready, ConditionStatus::True, reason, message);
    }
    if let Phase::Halted(halt) = situation.phase {
        return no(halt.reason, halt.message.clone());
    }
    if situation.suspended {
        return no(Reason::Suspended, "spec.suspend is true: no token is generated until it is false".to_owned());
    }
    if let Some(trouble) = situation.trouble {
        return no(trouble.reason, trouble.message.clone());
    }
    if let Some(failures) = &situation.ledger.failures {
        return no(failures.reason, format!("{}; the next attempt is at {}", failures.message, failures.next_try_time));
    }
    match &situation.ledger.current {
        None if leak::open(situation.ledger.leak.as_ref()) => {
            no(Reason::TokenRejected, "the token leaked and was revoked; a new one is on its way".to_owned())
        }
        None => no(Reason::Issuing, "the first token is on its way".to_owned()),
        Some(current) if current.rejected_time.is_some() => no(
            Reason::TokenRejected,
            format!("the service refuses attempt {}; a new one is on its way", current.attempt),
        ),
        Some(current) if expired(current, situation.now) => {
            no(Reason::TokenExpired, format!("attempt {} has expired; a new one is on its way", current.attempt))
        }
        Some(_) => {
            no(Reason::Issuing, "the Secret does not hold the token any more; a new one is on its way".to_owned())
        }
    }
}

fn reconciling(situation: &Situation) -> Option<Told> {
    let told =
        |reason, message: &str| Some((ConditionType::Reconciling, ConditionStatus::True, reason, message.to_owned()));
    match situation.phase {
        _ if situation.deleting => told(Reason::Deleting, "tokens are being revoked"),
        Phase::Halted(halt) if halt.stalled => None,
        Phase::Halted(halt) => told(halt.reason, &halt.message),
        Phase::Working if situation.ledger.current.is_some() => told(Reason::Rotating, "rotation steps are running"),
        Phase::Working => told(Reason::Issuing, "the first token is on its way"),
        Phase::Resting if situation.suspended || usable(situation).is_some() => None,
        Phase::Resting => told(Reason::Issuing, "a new token is on its way"),
    }
}

fn stalled(situation: &Situation) -> Option<Told> {
    let Phase::Halted(halt) = situation.phase else { return None };
    halt.stalled.then(|| (ConditionType::Stalled, ConditionStatus::True, halt.reason, halt.message.clone()))
}

fn revocation_pending(situation: &Situation) -> Option<Told> {
    let superseded = &situation.ledger.superseded;
    let first = superseded.iter().min_by_key(|old| old.revoke_after_time.max(old.next_try_time.unwrap_or_default()))?;
    let failing = superseded.iter().find(|old| old.tries > 0);
    let (reason, message) = match failing {
        Some(old) => (
            Reason::RevocationFailed,
            format!(
                "attempt {} (id {}) should be dead: {} tries to revoke it failed, the next is at {}",
                old.attempt,
                old.id,
                old.tries,
                old.next_try_time.unwrap_or(old.revoke_after_time)
            ),
        ),
        None => (Reason::OverlapActive, format!("attempt {} is revoked at {}", first.attempt, first.revoke_after_time)),
    };
    Some((ConditionType::RevocationPending, ConditionStatus::True, reason, message))
}

fn rotation_failed(situation: &Situation) -> Option<Told> {
    if usable(situation).is_none() || !situation.wanted {
        return None;
    }
    let told = |reason, message| Some((ConditionType::RotationFailed, ConditionStatus::True, reason, message));
    let Some(failures) = &situation.ledger.failures else {
        let trouble = situation.trouble.filter(|_| situation.phase == Phase::Resting)?;
        return told(trouble.reason, format!("{}; the token before it is kept", trouble.message));
    };
    let message =
        format!("{}; the token before it is kept, the next attempt is at {}", failures.message, failures.next_try_time);
    told(failures.reason, message)
}

/// The token that consumers can rely on now.
fn usable<'a>(situation: &'a Situation) -> Option<&'a Current> {
    situation.ledger.current.as_ref().filter(|current| {
        situation.holds_current && current.rejected_time.is_none() && !expired(current, situation.now)
    })
}

fn expired(current: &Current, now: Time) -> bool {
    current.expiration_time.is_some_and(|end| end <= now)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::api::ledger::{Failures, Superseded};

    fn current() -> Current {
        Current {
            attempt: 7,
            id: "t7".into(),
            nonce: String::new(),
            hint: None,
            request_digest: String::new(),
            claimed_time: Time::from_millis(0),
            issued_time: Time::from_millis(0),
            published_time: Time::from_millis(0),
            verified_time: Time::from_millis(0),
            probed: true,
            rejected_time: None,
            expiration_time: None,
            secret_resource_version: String::new(),
        }
    }

    fn told(ledger: &Ledger, phase: Phase, change: impl Fn(&mut Situation)) -> Vec<(ConditionType, bool, Reason)> {
        let mut situation = Situation {
            ledger,
            phase,
            trouble: None,
            holds_current: true,
            wanted: false,
            deleting: false,
            suspended: false,
            generation: 3,
            now: Time::from_millis(1000),
        };
        change(&mut situation);
        let made = conditions(&situation, &[]);
        made.iter().map(|made| (made.type_, made.status == ConditionStatus::True, made.reason)).collect()
    }

    #[test]
    fn a_valid_token_stays_ready_through_rotation_overlap_and_a_failed_attempt() {
        use ConditionType as T;
        let mut ledger = Ledger { current: Some(current()), ..Ledger::default() };
        assert_eq!(told(&ledger, Phase::Resting, |_| {}), [(T::Ready, true, Reason::TokenValid)]);
        assert_eq!(
            told(&ledger, Phase::Working, |_| {}),
            [(T::Ready, true, Reason::TokenValid), (T::Reconciling, true, Reason::Rotating)]
        );
        let (tries, next_try_time) = (0, None);
        let revoke_after_time = Time::from_millis(9000);
        let old = Superseded {
            attempt: 6,
            id: "t6".into(),
            nonce: String::new(),
            claimed_time: None,
            revoke_after_time,
            unpublished: false,
            held: false,
            tries,
            next_try_time,
        };
        ledger.superseded.push(old);
        assert_eq!(
            told(&ledger, Phase::Resting, |_| {}),
            [(T::Ready, true, Reason::TokenValid), (T::RevocationPending, true, Reason::OverlapActive)]
        );
        ledger.superseded[0].tries = 2;
        let next_try_time = Time::from_millis(5000);
        let (reason, message) = (Reason::VerificationFailed, String::new());
        ledger.failures = Some(Failures { count: 1, next_try_time, generation: 3, reason, message });
        assert_eq!(
            told(&ledger, Phase::Resting, |situation| situation.wanted = true),
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
            assert_eq!(told(ledger, phase, change), wanted);
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
        let mut situation = Situation {
            ledger: &ledger,
            phase: Phase::Resting,
            trouble: None,
            holds_current: true,
            wanted: false,
            deleting: false,
            suspended: false,
            generation: 1,
            now: Time::from_millis(1000),
        };
        let first = conditions(&situation, &[]);
        situation.now = Time::from_millis(2000);
        assert_eq!(conditions(&situation, &first)[0].last_transition_time, Time::from_millis(1000));
        situation.holds_current = false;
        assert_eq!(conditions(&situation, &first)[0].last_transition_time, Time::from_millis(2000));
    }
}

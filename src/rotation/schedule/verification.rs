//! When the current token is verified again.

use std::time::Duration;

use crate::api::ledger::Current;
use crate::api::time::Time;
use crate::rotation::desired::Desired;

/// An interval after the token was last seen accepted.
pub fn verification_due(desired: &Desired, current: &Current, accepted: Option<Time>) -> Option<Time> {
    if !desired.probe || desired.verification_interval.is_zero() {
        return None;
    }
    Some(
        accepted
            .map_or(current.verified_time, |seen| seen.max(current.verified_time))
            .plus(desired.verification_interval),
    )
}

/// What a process that has just begun takes for the time when the token was last seen accepted: multiples of the interval after it
/// was verified first, so that a restart needs no record and is no reason to ask all services at once.
pub fn last_slot(desired: &Desired, current: &Current, now: Time) -> Time {
    let interval = desired.verification_interval.as_millis().max(1);
    let passed = now.since(current.verified_time).as_millis() / interval * interval;
    let passed = u64::try_from(passed).unwrap_or(u64::MAX);
    current.verified_time.plus(Duration::from_millis(passed))
}

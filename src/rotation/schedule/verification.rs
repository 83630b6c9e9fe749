//! When the current token is verified again.

use std::time::Duration;

use crate::api::ledger::Current;
use crate::api::time::Time;
use crate::rotation::desired::Desired;
use crate::rotation::observed::Facts;

/// Whether the token has ended by itself, as far as the ledger knows.
pub fn expired(current: &Current, now: Time) -> bool {
    current.expiration_time.is_some_and(|end| end <= now)
}

/// One interval after the service was last seen to accept the token; at once if it was never asked. One that is refused is asked about
/// again at its own time, or at once by a process that does not know that time.
pub fn verification_due(desired: &Desired, current: &Current, facts: &Facts) -> Option<Time> {
    if let Some(refused) = current.refused_time.filter(|_| desired.probe) {
        return Some(facts.ask_again.unwrap_or(refused));
    }
    if !desired.probe || desired.verification_interval.is_zero() {
        return None;
    }
    // A token whose answers say nothing is asked about until they do.
    if !current.probed || current.unclear.is_some() {
        return Some(current.verified_time);
    }
    let seen = facts.accepted.map_or(current.verified_time, |seen| seen.max(current.verified_time));
    Some(seen.plus(desired.verification_interval))
}

/// When the token was last seen accepted, as a process assumes that has just started. It takes the last whole interval since the
/// first verification. So nothing needs to be recorded, and a restart does not ask all services at once.
pub fn last_slot(desired: &Desired, current: &Current, now: Time) -> Time {
    let interval = desired.verification_interval.as_millis().max(1);
    let passed = now.since(current.verified_time).as_millis() / interval * interval;
    let passed = u64::try_from(passed).unwrap_or(u64::MAX);
    current.verified_time.plus(Duration::from_millis(passed))
}

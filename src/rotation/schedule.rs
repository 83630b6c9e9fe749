//! When a rotation is due. Pure: time comes in, a time comes out.

use crate::api::ledger::Current;
use crate::api::time::Time;

use super::desired::Desired;
use super::observed::Observed;

/// Why a new token is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// There is no verified token.
    First,
    /// The Secret does not hold the current token.
    Drift,
    /// The service refuses the current token.
    Rejected,
    /// Its expiry has passed or comes near.
    Expiry,
    /// It is as old as `rotation.interval` allows.
    Interval,
    /// `rotation.rotateIssuedBefore`.
    IssuedBefore,
    /// The annotation `rotate-requested-at`.
    Request,
    /// Parameters or lifetime changed.
    Spec,
}

/// Why a new token is wanted now, if one is.
pub fn trigger(desired: &Desired, observed: &Observed, now: Time) -> Option<Trigger> {
    let Some(current) = &observed.ledger.current else { return Some(Trigger::First) };
    if current.rejected_time.is_some() {
        return Some(Trigger::Rejected);
    }
    if !observed.holds_current() {
        return Some(Trigger::Drift);
    }
    if expiry_due(desired, current).is_some_and(|due| due <= now) {
        return Some(Trigger::Expiry);
    }
    if issued_before_due(desired, current).is_some_and(|due| due <= now) {
        return Some(Trigger::IssuedBefore);
    }
    if observed.requests.rotate.is_some() && observed.requests.rotate != observed.ledger.handled_requests.rotate {
        return Some(Trigger::Request);
    }
    // Absent where an older version recorded the token: an upgrade is no reason for another one.
    if !current.request_digest.is_empty() && current.request_digest != desired.request_digest {
        return Some(Trigger::Spec);
    }
    interval_due(desired, current).filter(|due| *due <= now).map(|_| Trigger::Interval)
}

/// When the next rotation is due as things stand; `None` if only a change can make one due.
pub fn next_rotation(desired: &Desired, current: &Current) -> Option<Time> {
    [expiry_due(desired, current), issued_before_due(desired, current), interval_due(desired, current)]
        .into_iter()
        .flatten()
        .min()
}

/// When the current token is verified again: an interval after it was last seen accepted.
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
    current.verified_time.plus(std::time::Duration::from_millis(passed))
}

fn interval_due(desired: &Desired, current: &Current) -> Option<Time> {
    desired.interval.map(|interval| current.issued_time.plus(interval.saturating_sub(desired.spread.min(interval / 2))))
}

/// Before the expiry: `rotateBefore`, or a third of the token's life.
fn expiry_due(desired: &Desired, current: &Current) -> Option<Time> {
    let expiration = current.expiration_time?;
    let life = expiration.since(current.issued_time);
    // A service may give less life than asked for: never due the moment it is made, or it would be a loop.
    let before = desired.rotate_before.unwrap_or(life / 3).min(life / 2);
    // Nor if it gives an end that is past: a replacement takes this long to make.
    Some(expiration.minus(before).max(current.issued_time.plus(desired.timings.publish_deadline)))
}

fn issued_before_due(desired: &Desired, current: &Current) -> Option<Time> {
    desired.rotate_issued_before.filter(|before| current.claimed_time < *before)
}

/// When the turn of an object comes in the answer to a leak at its service: each of the `older` tokens takes `calls` of the
/// `per_minute` that the rate limit allows before it, a quarter of a minute's calls at once.
pub fn leak_turn(older: u32, calls: u32, per_minute: u32, now: Time) -> Time {
    let per_minute = per_minute.max(1);
    let ahead = older.saturating_add(1).saturating_sub(per_minute / 4 / calls);
    now.plus((std::time::Duration::from_secs(60) * calls / per_minute).saturating_mul(ahead))
}

#[cfg(test)]
mod tests;

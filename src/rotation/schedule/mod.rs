//! When something is due: here a rotation, beside it the verification of a token, the look for a lost one, the answer to a
//! leak. Pure: time comes in, a time comes out.

mod leak;
mod lost;
mod verification;

use crate::api::ledger::Current;
use crate::api::time::Time;
use crate::rotation::desired::Desired;
use crate::rotation::observed::Observed;

pub use leak::leak_turn;
pub use lost::next_look;
pub use verification::{last_slot, verification_due};

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
    if observed.object.requests.rotate.is_some()
        && observed.object.requests.rotate != observed.ledger.handled_requests.rotate
    {
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

#[cfg(test)]
mod tests;

//! When something is due. This file covers rotations; the others cover the verification of a token, the search for a lost token and
//! the answer to a leak. Pure: time is a parameter.

mod leak;
mod lost;
mod reminders;
mod verification;

use std::time::Duration;

use crate::api::ledger::Current;
use crate::api::time::Time;
use crate::rotation::desired::{Desired, Timings};
use crate::rotation::observed::Observed;

pub use leak::leak_turn;
pub use lost::next_look;
pub use reminders::{next_reminder, reminder};
pub use verification::{expired, last_slot, verification_due};

/// A token that lives too short to be replaced in time is replaced an hour after it was generated: where the service says a wrong end, or
/// grants no more, one token would else follow the other without any use.
const SHORT_LIVED_PAUSE: Duration = Duration::from_secs(3600);

/// Why a new token is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// There is no verified token.
    First,
    /// The Secret does not hold the current token.
    Drift,
    /// The service refuses the current token.
    Rejected,
    /// The current token leaked, and only a person can revoke it.
    Leaked,
    /// Its expiry has passed or is near.
    Expiry,
    /// It is as old as `rotation.interval` allows.
    Interval,
    /// `rotation.rotateIssuedBefore`.
    IssuedBefore,
    /// The annotation `rotate-requested-at`.
    Request,
    /// The parameters or the lifetime changed.
    Spec,
}

impl Trigger {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::First,
        Self::Drift,
        Self::Rejected,
        Self::Leaked,
        Self::Expiry,
        Self::Interval,
        Self::IssuedBefore,
        Self::Request,
        Self::Spec,
    ];

    /// A word for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Drift => "drift",
            Self::Rejected => "rejected",
            Self::Leaked => "leaked",
            Self::Expiry => "expiry",
            Self::Interval => "interval",
            Self::IssuedBefore => "issued_before",
            Self::Request => "request",
            Self::Spec => "spec",
        }
    }
}

/// Why a new token is wanted now; `None` if none is wanted.
pub fn trigger(desired: &Desired, observed: &Observed, now: Time) -> Option<Trigger> {
    let Some(current) = &observed.ledger.current else { return Some(Trigger::First) };
    if current.rejected_time.is_some() {
        return Some(Trigger::Rejected);
    }
    if !observed.holds_current() {
        return Some(Trigger::Drift);
    }
    // One that the operator can revoke is dead before it is replaced.
    if current.hand_over.is_some() && observed.ledger.leak_covers(current.claimed_time) {
        return Some(Trigger::Leaked);
    }
    replaces(desired, observed, current, now)
}

/// Whether nothing wants a new token but that the Secret does not hold the current one.
pub fn is_only_drift(desired: &Desired, observed: &Observed, now: Time) -> bool {
    let due = |current| replaces(desired, observed, current, now).is_some();
    trigger(desired, observed, now) == Some(Trigger::Drift) && !observed.ledger.current.as_ref().is_some_and(due)
}

/// Why a current token that works is to be replaced now.
pub fn replaces(desired: &Desired, observed: &Observed, current: &Current, now: Time) -> Option<Trigger> {
    if expiry_due(desired, current).is_some_and(|due| due <= now) {
        return Some(Trigger::Expiry);
    }
    if issued_before_due(desired, current).is_some_and(|due| due <= now) {
        return Some(Trigger::IssuedBefore);
    }
    if rotation_requested(observed) {
        return Some(Trigger::Request);
    }
    // An older version recorded the token without a digest. An upgrade must not cause another token.
    if !current.request_digest.is_empty() && current.request_digest != desired.request_digest {
        return Some(Trigger::Spec);
    }
    interval_due(desired, current).filter(|due| *due <= now).map(|_| Trigger::Interval)
}

/// Whether a person asks for a new token by the annotation `rotate-requested-at`.
pub fn rotation_requested(observed: &Observed) -> bool {
    let requested = &observed.object.requests.rotate;
    requested.is_some() && *requested != observed.ledger.handled_requests.rotate
}

/// When the next rotation is due; `None` if only a change of spec or state can make one due.
pub fn next_rotation(desired: &Desired, current: &Current) -> Option<Time> {
    [expiry_due(desired, current), issued_before_due(desired, current), interval_due(desired, current)]
        .into_iter()
        .flatten()
        .min()
}

fn interval_due(desired: &Desired, current: &Current) -> Option<Time> {
    desired.interval.map(|interval| current.issued_time.plus(interval.saturating_sub(desired.spread.min(interval / 2))))
}

/// A rotation is due `rotateBefore` the expiry, or a third of the token's life before it.
fn expiry_due(desired: &Desired, current: &Current) -> Option<Time> {
    let expiration = current.expiration_time?;
    let life = expiration.since(current.issued_time);
    // A service may grant less life than requested. A fresh token must never be due at once, or rotation would loop.
    let before = desired.rotate_before.unwrap_or(life / 3).min(life / 2);
    // The same holds for an expiry in the past. Making a replacement takes this long.
    let deadline = desired.timings.publish_deadline;
    let pause = if life <= deadline { SHORT_LIVED_PAUSE } else { deadline };
    Some(expiration.minus(before).max(current.issued_time.plus(pause)))
}

/// The shortest lifetime of a token that is always replaced before it expires. No token is replaced before it is `publishDeadline`
/// old, and its replacement may take as long again.
pub fn shortest_lifetime(timings: &Timings) -> Duration {
    timings.publish_deadline.saturating_mul(2)
}

fn issued_before_due(desired: &Desired, current: &Current) -> Option<Time> {
    desired.rotate_issued_before.filter(|before| current.claimed_time < *before)
}

#[cfg(test)]
mod tests;

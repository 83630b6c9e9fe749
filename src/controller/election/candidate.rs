//! What a candidate does next about the Lease. No I/O and no clock.
//!
//! The rules are those of client-go's leader election, so that everything which reads Leases understands this one:
//!
//! * Only what this process observes counts. A record that has not changed for [`LEASE`], by this process's own monotonic clock, is
//!   expired. The times in the record are for people: no clock is compared with them, since no two clocks agree.
//! * A write replaces the version that was decided on. Of two candidates that write at once, the API server accepts one.
//! * A holder that did not renew for [`RENEW_DEADLINE`] leads no more. It counts from before its last write was sent and a candidate
//!   from when it saw that write, so the holder is the first to know.
//!
//! Two rules go further. A Lease that somebody deletes is created again by its holder; to those who knew it, it is held until it would
//! have expired. And a holder that stopped leading stays a candidate: its memory is worth keeping, and safety does not rest on the Lease.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// How long a record that does not change is valid.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// How often the holder renews it.
pub(super) const RENEW_EVERY: Duration = Duration::from_secs(5);
/// So long after its last renewal a holder leads.
pub(super) const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// The pause between two tries, from the beginning of one to that of the next.
pub(super) const RETRY: Duration = Duration::from_secs(2);

/// What a released record says of its duration: the API server accepts no zero.
const RELEASED_SECONDS: i32 = 1;
/// The same as [`LEASE`], as the record has it.
const LEASE_SECONDS: i32 = 15;

/// A moment of this process's monotonic clock, since it began.
pub(super) type Moment = Duration;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing, until then or until something is heard.
    Wait(Option<Moment>),
    /// Read the Lease.
    Read,
    /// Write [`Candidate::record`].
    Write,
}

/// How a try went that changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The Lease is not as it was known.
    Conflict,
    /// It was refused, or there was no answer: a write may have taken effect.
    Other,
}

/// What is known of the Lease itself.
#[derive(Clone, Debug)]
enum Known {
    Unread,
    Absent,
    There(Box<Lease>),
}

/// One process that wants to lead.
#[derive(Debug)]
pub(super) struct Candidate {
    identity: String,
    known: Known,
    /// The newest record. It outlives its Lease.
    record: Option<LeaseSpec>,
    /// When the record changed, as this process saw it.
    changed: Moment,
    /// When this process's last successful write was sent.
    renewed: Option<Moment>,
    /// When the last try that failed was begun.
    failed: Option<Moment>,
    /// The Lease must be read before the next write.
    doubted: bool,
    /// The last try failed by a conflict.
    conflicted: bool,
    /// It still wants to lead, if it does not yet.
    stands: bool,
}

impl Candidate {
    /// A candidate with an identity that no other process has or had.
    pub(super) fn new(identity: String) -> Self {
        Self {
            identity,
            known: Known::Unread,
            record: None,
            changed: Moment::ZERO,
            renewed: None,
            failed: None,
            doubted: false,
            conflicted: false,
            stands: true,
        }
    }

    /// What to do next.
    pub(super) fn next_act(&self, now: Moment) -> Act {
        let due = self.due(now);
        if due.is_some_and(|due| due <= now) {
            let unread = matches!(self.known, Known::Unread);
            return if unread || self.doubted { Act::Read } else { Act::Write };
        }
        let ends = self.leads_until().filter(|ends| *ends > now);
        Act::Wait(due.into_iter().chain(ends).min())
    }

    /// When the next try is due, if there is one.
    fn due(&self, now: Moment) -> Option<Moment> {
        let leads = self.leads_until().is_some_and(|until| now < until);
        let due = match (&self.known, self.holder()) {
            // The watch begins with a list. Where it is refused, a read may not be.
            (Known::Unread, _) => RETRY,
            _ if !self.stands && !leads => return None,
            (Known::Absent, _) if leads => Moment::ZERO,
            // Since its last renewal, somebody else may have held what is not there any more.
            (Known::Absent, holder) if holder == self.identity => self.changed + LEASE,
            // Before the first renewal this process cannot know when its write took effect.
            (_, holder) if holder == self.identity => self.renewed.map_or(Moment::ZERO, |at| at + RENEW_EVERY),
            (_, "") => Moment::ZERO,
            _ => self.changed + LEASE,
        };
        Some(self.failed.map_or(due, |failed| due.max(failed + RETRY)))
    }

    /// The holder by the newest record; empty for nobody.
    pub(super) fn holder(&self) -> &str {
        self.record.as_ref().and_then(|record| record.holder_identity.as_deref()).unwrap_or_default()
    }

    /// Whether this process is the holder by the newest record.
    pub(super) fn holds(&self) -> bool {
        self.holder() == self.identity
    }

    /// Until when this process leads; `None` if it does not.
    pub(super) fn leads_until(&self) -> Option<Moment> {
        self.renewed.filter(|_| self.holds()).map(|at| at + RENEW_DEADLINE)
    }

    /// From now on this process does not take the Lease. While it leads, it goes on to renew it.
    pub(super) fn stand_down(&mut self) {
        self.stands = false;
    }

    /// Whether it still would take it.
    pub(super) fn stands(&self) -> bool {
        self.stands
    }

    /// The watch showed this version of the Lease, or that it is not there. What is older than what is known is not news.
    pub(super) fn hear(&mut self, lease: &Lease, deleted: bool, now: Moment) {
        if older(lease, self.lease()) {
            return;
        }
        self.see(Some(lease.clone()), now);
        if deleted {
            self.see(None, now);
        }
    }

    /// The API server says that the Lease is like this now.
    pub(super) fn see(&mut self, lease: Option<Lease>, now: Moment) {
        self.doubted = false;
        let Some(lease) = lease else {
            // Its holder may have renewed it right before, unseen.
            if self.lease().is_some() {
                self.changed = now;
            }
            self.known = Known::Absent;
            return;
        };
        let record = lease.spec.clone().unwrap_or_default();
        if self.record.as_ref() != Some(&record) {
            (self.record, self.changed) = (Some(record), now);
        }
        self.known = Known::There(Box::new(lease));
        if !self.holds() {
            self.renewed = None;
        }
    }

    /// A write that was sent at `sent` took effect.
    pub(super) fn wrote(&mut self, lease: Lease, sent: Moment, now: Moment) {
        (self.failed, self.conflicted) = (None, false);
        self.see(Some(lease), now);
        self.renewed = Some(sent).filter(|_| self.holds());
    }

    /// A read or a write that was begun at `begun` failed.
    pub(super) fn failed(&mut self, how: Failure, begun: Moment) {
        let again = self.conflicted;
        self.conflicted = how == Failure::Conflict;
        // After a first conflict one look says what to do, and nothing is waited for.
        if how == Failure::Conflict {
            self.doubted = true;
        }
        if how == Failure::Other || again {
            self.failed = Some(begun);
        }
    }

    /// The Lease as it is known.
    pub(super) fn lease(&self) -> Option<&Lease> {
        match &self.known {
            Known::There(lease) => Some(lease),
            Known::Unread | Known::Absent => None,
        }
    }

    /// The record that makes this process the holder, or renews that it is.
    pub(super) fn record(&self, time: &MicroTime) -> LeaseSpec {
        let before = self.record.clone().unwrap_or_default();
        let (acquired, transitions) = if self.holds() {
            (before.acquire_time.clone(), before.lease_transitions)
        } else {
            // The first holder comes without a transition.
            let transitions =
                self.record.as_ref().map_or(0, |_| before.lease_transitions.unwrap_or(0).saturating_add(1));
            (Some(time.clone()), Some(transitions))
        };
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(LEASE_SECONDS),
            acquire_time: acquired,
            renew_time: Some(time.clone()),
            lease_transitions: transitions,
            ..before
        }
    }

    /// The record that lets go of the Lease.
    pub(super) fn released(&self, time: &MicroTime) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(RELEASED_SECONDS),
            renew_time: Some(time.clone()),
            ..self.record.clone().unwrap_or_default()
        }
    }
}

/// Whether this version is older than the known one. Versions of one kind are ordered decimal numbers (KEP-5504).
fn older(lease: &Lease, known: Option<&Lease>) -> bool {
    let version = |lease: &Lease| lease.metadata.resource_version.as_deref().and_then(|text| text.parse::<u64>().ok());
    known.and_then(version).zip(version(lease)).is_some_and(|(known, new)| new < known)
}

#[cfg(test)]
mod tests;

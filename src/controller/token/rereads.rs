//! When Secrets are read that are not watched. What was not read is unknown, never absent.

use std::time::Duration;

use kube::ResourceExt;
use tokio::time::Instant;

use crate::api::ledger::{HandledRequests, Ledger};
use crate::api::time::Time;
use crate::controller::spread::spread;
use crate::controller::token::memory::SeenSecret;
use crate::controller::token::pass::Pass;

/// So many objects are read in the first minute after a start, and in each that follows, until all of them were.
const FIRST_READS_PER_MINUTE: u32 = 1000;

/// While a token is to be handed over, the Secret that brings one is looked for this often.
pub(crate) const OFFER_LOOK: Duration = Duration::from_secs(30);

/// When each Secret is read.
#[derive(Debug)]
pub(crate) struct Rereads {
    /// How often each Secret is read.
    every: Duration,
    begun: Instant,
}

impl Rereads {
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, begun: Instant::now() }
    }

    /// When a Secret that was read at this time is read again: up to a tenth earlier than all that were read with it.
    pub(crate) fn next(&self, uid: &str, read: Instant) -> Instant {
        read + (self.every - spread(uid, self.every / 10))
    }

    /// When an object that nothing happens to is looked at for the first time, where there are so many of them, and this process began to lead
    /// then.
    fn first(&self, uid: &str, objects: usize, led_since: Option<Instant>) -> Instant {
        let minutes = u32::try_from(objects).unwrap_or(u32::MAX);
        let begun = led_since.map_or(self.begun, |since| since.max(self.begun));
        begun + spread(uid, Duration::from_secs(60) * minutes / FIRST_READS_PER_MINUTE)
    }

    /// How long the first look at this object waits, since all objects are looked at after a start. One to which something happens waits for
    /// nothing.
    pub(crate) fn wait(&self, pass: &Pass<'_>) -> Option<Duration> {
        let led_since = pass.shared().leadership.since();
        let seen = |seen: &SeenSecret| led_since.is_none_or(|since| seen.at >= since);
        if pass.memory().secret.as_ref().is_some_and(seen) || !is_at_rest(pass) {
            return None;
        }
        let first = self.first(&pass.object().uid().unwrap_or_default(), pass.shared().objects.count(), led_since);
        let now = pass.now().time();
        let wait = times(pass).map(|time| time.since(now)).min();
        let wait = wait.into_iter().chain([first.saturating_duration_since(Instant::now())]).min();
        wait.filter(|wait| !wait.is_zero())
    }
}

/// When something is due for the object by itself.
fn times(pass: &Pass<'_>) -> impl Iterator<Item = Time> {
    let next = pass.object().status.as_ref().and_then(|status| status.next_rotation_time);
    let end = pass.ledger().current.as_ref().and_then(|current| current.expiration_time);
    next.into_iter().chain(end)
}

/// Whether its token leaked, or somebody says so.
fn leaks(pass: &Pass<'_>) -> bool {
    let ledger = pass.ledger();
    let noticed = ledger.leak.as_ref().map(|leak| leak.noticed()).unwrap_or_default();
    let said = pass.desired().revoke_issued_before.new_to(noticed).latest().is_some();
    said || ledger.current.as_ref().is_some_and(|current| ledger.leak_covers(current.claimed_time))
}

/// Whether the object has the token that it asks for, and nobody waits for anything.
fn is_at_rest(pass: &Pass<'_>) -> bool {
    let (object, ledger) = (pass.object(), pass.ledger());
    let applied = object.status.as_ref().and_then(|status| status.observed_generation);
    let HandledRequests { rotate, reconcile, confirm } = pass.requests();
    let handled = &ledger.handled_requests;
    object.metadata.deletion_timestamp.is_none()
        && applied == object.metadata.generation
        && rests(ledger)
        && !leaks(pass)
        && times(pass).all(|time| time > pass.now().time())
        && [(rotate, &handled.rotate), (reconcile, &handled.reconcile), (confirm, &handled.confirm)]
            .iter()
            .all(|(request, handled)| request.is_none() || request == *handled)
}

fn rests(ledger: &Ledger) -> bool {
    let works = |ledger: &Ledger| {
        let current = ledger.current.as_ref();
        current.is_some_and(|current| current.refused_time.is_none() && current.rejected_time.is_none())
    };
    let decided = ledger.claim.as_ref().is_none_or(|claim| claim.outcome.is_some());
    works(ledger) && decided && ledger.superseded.is_empty() && ledger.lost.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_reads_take_a_minute_for_each_thousand_objects_and_later_ones_are_spread() {
        let rereads = Rereads::new(Duration::from_secs(3600));
        let uids: Vec<String> = (0..2000).map(|number| format!("uid-{number}")).collect();
        let seconds = |at: Instant| at.duration_since(rereads.begun).as_secs();
        let first: Vec<u64> = uids.iter().map(|uid| seconds(rereads.first(uid, uids.len(), None))).collect();
        assert!(first.iter().all(|second| *second < 120));
        let in_first_minute = first.iter().filter(|second| **second < 60).count();
        assert!((900..1100).contains(&in_first_minute), "{in_first_minute}");
        let later = rereads.begun + Duration::from_secs(3600);
        assert!(
            uids.iter().all(|uid| rereads.first(uid, uids.len(), Some(later)) >= later),
            "a standby that took over"
        );
        let next: Vec<u64> = uids.iter().map(|uid| seconds(rereads.next(uid, rereads.begun))).collect();
        assert!(next.iter().all(|second| (3240..=3600).contains(second)));
        assert!(next.iter().any(|second| *second < 3300) && next.iter().any(|second| *second > 3500));
    }
}

//! Leaks and identity conflicts, which alarm people.

use std::time::Duration;

use crate::api::ledger::{Conflict, Leak, LeakTimes, Ledger};
use crate::api::time::Time;
use crate::rotation::observed::Row;

impl Ledger {
    /// Tokens claimed before this time leaked, or before now if that is earlier. A later leak also covers the tokens of an earlier one.
    /// A time that was noticed before does not count again.
    pub fn leaked(&mut self, issued_before: LeakTimes, now: Time) {
        let noticed = self.leak.as_ref().map(Leak::noticed).unwrap_or_default();
        let Some(latest) = issued_before.new_to(noticed).latest() else { return };
        // Another process may have stamped a claim by a clock that is ahead of ours. A token in the ledger was claimed before now all
        // the same, so a leak of everything until now covers it.
        let now = self.newest_claim().map_or(now, |claimed| now.max(claimed.plus(Duration::from_millis(1))));
        let claimed_before = latest.min(now);
        let covered = self.leak.as_ref().map_or(claimed_before, |leak| leak.claimed_before.max(claimed_before));
        let current = self.current.iter().map(|current| current.claimed_time);
        let claim = self.claim.iter().filter(|claim| claim.outcome.is_none()).map(|claim| claim.time);
        let in_use = current.chain(claim).any(|claimed| claimed < covered);
        let replaced_time = (!in_use).then_some(now);
        self.leak = Some(Leak {
            issued_before: None,
            // A time that is no longer in the spec may come back.
            object_issued_before: issued_before.object.or(noticed.object),
            service_issued_before: issued_before.service.or(noticed.service),
            claimed_before: covered,
            revoked_time: None,
            replaced_time,
        });
        self.failures = None;
    }

    /// The service lists a token of this identity that was never claimed here. An earlier confirmation no longer counts.
    pub fn conflict_found(&mut self, row: &Row, confirm: Option<String>) {
        self.conflict = Some(Conflict { attempt: row.attempt, id: row.id.clone() });
        self.handled_requests.confirm = confirm;
    }

    /// A person confirmed that all tokens of this identity belong to this object, and the ledger has all that are listed.
    pub fn identity_confirmed(&mut self, confirm: Option<String>) {
        self.conflict = None;
        self.handled_requests.confirm = confirm;
    }

    /// The time of the newest claim that the ledger still has, by the clocks of the processes that took them.
    fn newest_claim(&self) -> Option<Time> {
        let current = self.current.iter().map(|current| current.claimed_time);
        let superseded = self.superseded.iter().filter_map(|old| old.claimed_time);
        current.chain(superseded).chain(self.claim.iter().map(|claim| claim.time)).max()
    }
}

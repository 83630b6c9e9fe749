//! The transitions of the ledger. Each is one resourceVersion-checked status write of the controller.
//!
//! ```text
//! claim ──► undecided ──► Verified: current; the one before becomes superseded
//!               │  └────► Failed: a value that was generated becomes superseded, too
//!               └───────► abandoned (settled, unknown): lost, until found ──► superseded
//! superseded ──► revoked and proved ──► history
//! ```
//! **Invariant:** nothing leaves `current` or `superseded` but by [`Ledger::revoked`]; nothing leaves `superseded` to become
//! current again.

mod failure;
mod standing;

use std::time::Duration;

use crate::api::ledger::{
    Claim, Conflict, Current, Failures, Leak, Ledger, Lost, MAX_HISTORY, MAX_LIVE, MAX_LOST, MAX_POSSIBLY_LOST,
    MAX_SUPERSEDED, Outcome, PossiblyLost, Proof, Revoked, Superseded,
};
use crate::api::time::Time;

use super::identity::FIRST_NONCE;
use super::observed::Row;

pub use failure::{Failure, LONGEST_RETRY, Remains, backoff};

/// Found tokens fill `superseded` up to here, so that room is left for what the operator supersedes by itself.
pub const MAX_FOUND: usize = MAX_SUPERSEDED - MAX_LIVE;
/// A claim of unknown outcome is looked for so long.
pub const LOST_FOR: Duration = Duration::from_secs(24 * 3600);

impl Ledger {
    /// Takes an attempt number (P2). A claim that was still open becomes a lost one.
    pub fn claimed(&mut self, claim: Claim, open: Option<Claim>, attributable: bool) {
        if let Some(open) = open {
            self.lose(&open, attributable);
        }
        self.prune(claim.time);
        self.claim = Some(claim);
    }

    /// The outcome of an attempt whose token the Secret holds: accepted. Its predecessor is superseded from now on, and so is
    /// every id of `replaced`, which the Secret held before: it may have been superseded earlier, but only now do its
    /// consumers begin to move.
    pub fn verified(&mut self, claim: &Claim, current: Current, replaced: &[String], revoke_after: Time) {
        self.decide(claim, Outcome::Verified);
        // What failed after its publish may have been in the Secret until this token came, even where an edit by hand hides
        // that: its overlap counts from here, too.
        let before = self.current.as_ref().map_or(0, |old| old.attempt);
        for failed in self.superseded.iter_mut().filter(|old| old.attempt > before && !old.unpublished) {
            failed.revoke_after_time = failed.revoke_after_time.max(revoke_after);
        }
        if let Some(old) = self.current.take().filter(|old| old.id != current.id) {
            self.supersede(of_current(old, revoke_after));
        }
        for old in self.superseded.iter_mut().filter(|old| replaced.contains(&old.id)) {
            old.revoke_after_time = old.revoke_after_time.max(revoke_after);
        }
        self.superseded.retain(|old| old.id != current.id);
        self.failures = None;
        if claim.request.is_some() {
            self.handled_requests.rotate.clone_from(&claim.request);
        }
        if let Some(leak) = self.leak.as_mut().filter(|leak| !leak.covers(current.claimed_time)) {
            leak.replaced_time.get_or_insert(current.published_time);
        }
        self.prune(current.verified_time);
        self.current = Some(current);
    }

    /// The outcome of an attempt: failed. The next one waits for its back-off.
    pub fn failed(&mut self, claim: &Claim, remains: Remains, failure: Failure, now: Time) {
        // Another process found or verified the token meanwhile, or ended it: then giving it up is no failure.
        let recorded = match &remains {
            Remains::Unpublished(id) | Remains::Published { id, .. } => self.knows(id) || self.ended(id),
            Remains::Nothing | Remains::Unknown { .. } => false,
        };
        self.decide(claim, Outcome::Failed);
        match remains {
            Remains::Nothing => {}
            Remains::Unpublished(_) | Remains::Published { .. } if recorded => {}
            Remains::Unpublished(id) => self.supersede(Superseded { unpublished: true, ..of_claim(claim, id, now) }),
            Remains::Published { id, revoke_after, held } => {
                self.supersede(Superseded { held, ..of_claim(claim, id, revoke_after) });
            }
            Remains::Unknown { attributable } => self.lose(claim, attributable),
        }
        // Nor is it one that a leak ended it: its replacement does not wait for a back-off.
        if !recorded && !self.leak_covers(claim.time) {
            self.failures = Some(self.next_failures(failure, now));
        }
        self.prune(now);
    }

    /// A settled claim of unknown outcome, fenced off (P5). It counts as a failure: the back-off bounds how many tokens a
    /// service that loses its answers can be made to generate.
    pub fn abandoned(&mut self, claim: &Claim, attributable: bool, failure: Failure, now: Time) {
        self.lose(claim, attributable);
        self.claim = Some(Claim { outcome: Some(Outcome::Failed), ..claim.clone() });
        self.failures = Some(self.next_failures(failure, now));
        self.prune(now);
    }

    /// Tokens found at the service that nobody needs: each gets a full overlap, since a consumer may hold it. The Secret holds those of
    /// `held`.
    pub fn found(&mut self, rows: &[Row], held: &[String], revoke_after: Time) {
        for row in rows {
            if !self.knows(&row.id) {
                if self.superseded.len() >= MAX_FOUND {
                    continue;
                }
                let claimed_time = self.claimed_time(row).or(row.created);
                let found = superseded(row.attempt, row.id.clone(), row.nonce.clone(), claimed_time, revoke_after);
                self.supersede(Superseded { held: held.contains(&row.id), ..found });
            }
            self.lost.retain(|lost| (lost.attempt, &lost.nonce) != (row.attempt, &row.nonce));
        }
    }

    /// A token was revoked and seen dead.
    pub fn revoked(&mut self, attempt: u32, id: &str, proof: Proof, now: Time) {
        let known = self.superseded.iter().find(|old| old.id == id).map(|old| old.nonce.clone());
        self.superseded.retain(|old| old.id != id);
        let current = self.take_current(id, now);
        let nonce = known.or(current.map(|current| current.nonce)).unwrap_or_default();
        self.history.insert(0, Revoked { attempt, id: id.to_owned(), nonce, revoked_time: now, proof });
        self.history.truncate(MAX_HISTORY);
        self.prune(now);
    }

    /// A revoke did not succeed, or could not be proved: the next try waits for its own back-off.
    pub fn revoke_failed(&mut self, attempt: u32, id: &str, first_retry: Duration, now: Time) {
        if let Some(current) = self.take_current(id, now) {
            self.supersede(of_current(current, now));
        }
        if !self.superseded.iter().any(|old| old.id == id) {
            self.supersede(superseded(attempt, id.to_owned(), String::new(), None, now));
        }
        for old in self.superseded.iter_mut().filter(|old| old.id == id) {
            old.tries = old.tries.saturating_add(1);
            old.next_try_time = Some(now.plus(backoff(first_retry, old.tries)));
        }
    }

    /// An older version may have recorded the current token without a digest. Such a token counts as asked for with the parameters and
    /// lifetime of now. Every record fills their digest in, so that a later change is seen.
    pub fn fill_in_digest(&mut self, digest: &str) {
        if let Some(current) = self.current.as_mut().filter(|current| current.request_digest.is_empty()) {
            digest.clone_into(&mut current.request_digest);
        }
    }

    /// The service stopped accepting the current token.
    pub fn rejected(&mut self, now: Time) {
        if let Some(current) = &mut self.current {
            current.rejected_time.get_or_insert(now);
        }
    }

    /// Tokens claimed before this time leaked, or before now if that is earlier. A leak that is answered later covers the tokens of
    /// an earlier one, too.
    pub fn leaked(&mut self, issued_before: Time, now: Time) {
        let claimed_before = issued_before.min(now);
        let covered = self.leak.as_ref().map_or(claimed_before, |leak| leak.claimed_before.max(claimed_before));
        let current = self.current.iter().map(|current| current.claimed_time);
        let claim = self.claim.iter().filter(|claim| claim.outcome.is_none()).map(|claim| claim.time);
        let in_use = current.chain(claim).any(|claimed| claimed < covered);
        let replaced_time = (!in_use).then_some(now);
        self.leak = Some(Leak { issued_before, claimed_before: covered, revoked_time: None, replaced_time });
        self.failures = None;
    }

    /// The service lists a token of this identity that was never claimed here. What was confirmed before counts no more.
    pub fn disputed(&mut self, row: &Row, confirm: Option<String>) {
        self.conflict = Some(Conflict { attempt: row.attempt, id: row.id.clone() });
        self.handled_requests.confirm = confirm;
    }

    /// A person said that all tokens of this identity are this object's, and all that are listed stand here.
    pub fn confirmed(&mut self, confirm: Option<String>) {
        self.conflict = None;
        self.handled_requests.confirm = confirm;
    }

    /// The current token, if it is this one: it is current no more.
    fn take_current(&mut self, id: &str, now: Time) -> Option<Current> {
        let current = self.current.take_if(|current| current.id == id)?;
        if let Some(leak) = self.leak.as_mut().filter(|leak| leak.covers(current.claimed_time)) {
            leak.revoked_time.get_or_insert(now);
        }
        Some(current)
    }

    /// When a listed token was claimed, if its claim is still known.
    fn claimed_time(&self, row: &Row) -> Option<Time> {
        let lost = self.lost.iter().map(|lost| (lost.attempt, &lost.nonce, lost.time));
        let claim = self.claim.iter().map(|claim| (claim.attempt, &claim.nonce, claim.time));
        let mut all = lost.chain(claim);
        all.find(|(attempt, nonce, _)| (*attempt, *nonce) == (row.attempt, &row.nonce)).map(|(.., time)| time)
    }

    fn decide(&mut self, claim: &Claim, outcome: Outcome) {
        self.lost.retain(|lost| (lost.attempt, &lost.nonce) != (claim.attempt, &claim.nonce));
        match &mut self.claim {
            Some(newest) if newest.attempt == claim.attempt && newest.outcome.is_none() => {
                newest.outcome = Some(outcome)
            }
            Some(_) => {}
            // Only the finalizer's claim stands in no ledger. Any other was lost with its ledger, and the implied claim stays
            // open, so that the service is listed for what else was lost.
            None if claim.nonce == FIRST_NONCE => self.claim = Some(Claim { outcome: Some(outcome), ..claim.clone() }),
            None => {}
        }
    }

    fn supersede(&mut self, token: Superseded) {
        // Found by a list before its own process gave it up: one entry, and the longer wait counts.
        match self.superseded.iter_mut().find(|old| old.id == token.id) {
            Some(old) => {
                old.revoke_after_time = old.revoke_after_time.max(token.revoke_after_time);
                old.unpublished &= token.unpublished;
                old.held |= token.held;
            }
            None => self.superseded.push(token),
        }
    }

    fn lose(&mut self, claim: &Claim, attributable: bool) {
        if !attributable {
            return self.possibly_lose(claim);
        }
        // Its token may have been found before.
        if self.superseded.iter().any(|old| (old.attempt, &old.nonce) == (claim.attempt, &claim.nonce)) {
            return;
        }
        self.lost.push(Lost { attempt: claim.attempt, nonce: claim.nonce.clone(), time: claim.time });
        let excess = self.lost.len().saturating_sub(MAX_LOST);
        self.lost.drain(..excess);
    }

    fn possibly_lose(&mut self, claim: &Claim) {
        self.possibly_lost.push(PossiblyLost { attempt: claim.attempt, claimed_time: claim.time });
        let excess = self.possibly_lost.len().saturating_sub(MAX_POSSIBLY_LOST);
        self.possibly_lost.drain(..excess);
    }

    fn next_failures(&self, failure: Failure, now: Time) -> Failures {
        let same_spec = self.failures.as_ref().filter(|old| old.generation == failure.generation);
        let count = same_spec.map_or(0, |old| old.count).saturating_add(1);
        let delay = backoff(failure.first_retry, count).max(failure.at_least);
        let Failure { reason, message, generation, .. } = failure;
        Failures { count, next_try_time: now.plus(delay), generation, reason, message }
    }

    fn prune(&mut self, now: Time) {
        self.lost.retain(|lost| now.since(lost.time) < LOST_FOR);
    }
}

/// A token that was not tried to be revoked yet.
fn superseded(attempt: u32, id: String, nonce: String, claimed_time: Option<Time>, revoke_after: Time) -> Superseded {
    Superseded {
        attempt,
        id,
        nonce,
        claimed_time,
        revoke_after_time: revoke_after,
        unpublished: false,
        held: false,
        tries: 0,
        next_try_time: None,
    }
}

/// What was current.
fn of_current(current: Current, revoke_after: Time) -> Superseded {
    let Current { attempt, id, nonce, claimed_time, .. } = current;
    superseded(attempt, id, nonce, Some(claimed_time), revoke_after)
}

/// The token of a claim that failed.
fn of_claim(claim: &Claim, id: String, revoke_after: Time) -> Superseded {
    superseded(claim.attempt, id, claim.nonce.clone(), Some(claim.time), revoke_after)
}

#[cfg(test)]
mod tests;

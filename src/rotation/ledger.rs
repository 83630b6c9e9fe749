//! The transitions of the ledger. The controller performs each as one status write that checks the resourceVersion.
//!
//! ```text
//! claim ──► undecided ──► Verified: current; its predecessor becomes superseded
//!               │  └────► Failed: a token that was generated becomes superseded, too
//!               └───────► abandoned (settled, outcome unknown): lost, until a list shows its token ──► superseded
//! superseded ──► revoked and proved ──► history
//! ```
//! **Invariant:** a token leaves the ledger only by [`Ledger::revoked`]; a superseded token never becomes current again.

mod alarms;
mod by_hand;
mod entries;
mod failure;
mod refusals;
mod standing;
mod uses;

use std::time::Duration;

use crate::api::ids::{Nonce, TokenId};
use crate::api::ledger::{
    Claim, Current, Failures, Ledger, Lost, MAX_FAILURE, MAX_HISTORY, MAX_LIVE, MAX_LOST, MAX_POSSIBLY_LOST,
    MAX_SUPERSEDED, Outcome, PossiblyLost, Proof, Replaced, Revoked, Superseded, Unclear,
};
use crate::api::reason::Reason;
use crate::api::time::Time;

use super::observed::Row;
use entries::{of_claim, of_current, superseded};

pub use by_hand::ToRevoke;
pub use failure::{Failure, Leftover, MAX_RETRY_DELAY, backoff};
pub use refusals::MAX_REPLACEMENT_PAUSE;
pub use uses::is_news;

/// Orphaned tokens fill `superseded` up to this length. The rest is for tokens that the operator itself supersedes.
pub const MAX_ORPHANS: usize = MAX_SUPERSEDED - MAX_LIVE;
/// The operator looks for the token of a lost claim for so long.
pub const LOST_FOR: Duration = Duration::from_secs(24 * 3600);

impl Ledger {
    /// The time to stamp the next claim with. The replacement of a leaked token must not count as leaked, even where our clock is behind
    /// the one that noticed the leak.
    pub fn next_claim_time(&self, now: Time) -> Time {
        self.leak.as_ref().map_or(now, |leak| leak.claimed_before.max(now))
    }

    /// Takes an attempt number (P2). A claim that is still open becomes a lost one.
    pub fn claimed(&mut self, claim: Claim, open: Option<Claim>, attributable: bool) {
        if let Some(open) = open {
            self.lose(&open, attributable);
        }
        self.prune(claim.time);
        let before = self.claim.as_ref().and_then(|before| before.hand_over.as_ref());
        if claim.hand_over.is_some() && claim.hand_over.as_ref() != before {
            // What a person brings now is not what failed.
            self.failures = None;
        }
        self.claim = Some(claim);
    }

    /// The outcome of an attempt whose token the Secret holds: verified. This supersedes its predecessor. It also restarts the
    /// overlap of every id in `replaced`: the Secret held these tokens until now, so their consumers begin to move only now.
    pub fn verified(&mut self, claim: &Claim, current: Current, replaced: &[TokenId], revoke_after: Time) {
        self.decide(claim, Outcome::Verified);
        // A token that failed after its publish may have stayed in the Secret until this one came, even where an edit by hand
        // hides that. So its overlap counts from here, too.
        let before = self.current.as_ref().map_or(0, |old| old.attempt);
        for failed in self.superseded.iter_mut().filter(|old| old.attempt > before && !old.unpublished) {
            failed.revoke_after_time = failed.revoke_after_time.max(revoke_after);
        }
        if let Some(old) = self.current.take().filter(|old| old.id != current.id) {
            // A leaked one, which only a person can revoke, has no overlap.
            let leaked = self.leak_covers(old.claimed_time);
            let revoke_after = if leaked { current.verified_time } else { revoke_after };
            self.supersede(of_current(old, revoke_after));
        }
        for old in self.superseded.iter_mut().filter(|old| replaced.contains(&old.id)) {
            old.revoke_after_time = old.revoke_after_time.max(revoke_after);
        }
        self.superseded.retain(|old| old.id != current.id);
        if let Some(replaced) = &mut self.replaced {
            replaced.until_time.get_or_insert(revoke_after);
        }
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

    /// The outcome of an attempt: failed. The next attempt waits for the back-off.
    pub fn failed(&mut self, claim: &Claim, leftover: Leftover, failure: Failure, now: Time) {
        // If another process recorded, verified or revoked the token meanwhile, giving it up is no failure.
        let recorded = match &leftover {
            Leftover::Unpublished(id) | Leftover::Published { id, .. } => {
                self.has_token(claim.attempt, id) || self.ended(claim.attempt, id)
            }
            Leftover::Nothing | Leftover::Unknown { .. } => false,
        };
        self.decide(claim, Outcome::Failed);
        if failure.reason == Reason::VerificationFailed && leftover.token().is_some() && !recorded {
            self.replacement_refused(claim.time, now);
        }
        match leftover {
            Leftover::Nothing => {}
            Leftover::Unpublished(_) | Leftover::Published { .. } if recorded => {}
            Leftover::Unpublished(id) => self.supersede(Superseded { unpublished: true, ..of_claim(claim, id, now) }),
            Leftover::Published { id, revoke_after, held } => {
                self.supersede(Superseded { held, ..of_claim(claim, id, revoke_after) });
            }
            Leftover::Unknown { attributable } => self.lose(claim, attributable),
        }
        // An attempt that a leak ended is no failure, either: its replacement does not wait for a back-off.
        if !recorded && !self.leak_covers(claim.time) {
            self.failures = Some(self.next_failures(failure, now));
        }
        self.prune(now);
    }

    /// Gives up a claim that is settled and fenced off, but whose outcome is unknown (P5). It counts as a failure: the back-off
    /// limits how many tokens a service that loses its answers is asked to generate.
    pub fn abandoned(&mut self, claim: &Claim, attributable: bool, failure: Failure, now: Time) {
        self.lose(claim, attributable);
        self.claim = Some(Claim { outcome: Some(Outcome::Failed), ..claim.clone() });
        // The person who took back what was handed over has failed nowhere.
        if claim.hand_over.is_none() {
            self.failures = Some(self.next_failures(failure, now));
        }
        self.prune(now);
    }

    /// Takes orphaned tokens, which the service lists, into `superseded`. Each gets a full overlap, since a consumer may hold it. The
    /// Secret holds the ids of `held`.
    pub fn orphans_found(&mut self, rows: &[Row], held: &[TokenId], revoke_after: Time) {
        for row in rows {
            if !self.has_token(row.attempt, &row.id) {
                if self.superseded.len() >= MAX_ORPHANS {
                    continue;
                }
                let claimed_time = self.claimed_time(row).or(row.created);
                let orphan = superseded(row.attempt, row.id.clone(), row.nonce.clone(), claimed_time, revoke_after);
                self.supersede(Superseded { held: held.contains(&row.id), ..orphan });
            }
            self.lost.retain(|lost| lost.key() != row.key());
        }
    }

    /// This version of the operator's credential generated this token, or lists it.
    pub fn seen_by(&mut self, attempt: u32, id: &TokenId, credentials_revision: &str) {
        for old in self.superseded.iter_mut().filter(|old| old.attempt == attempt && old.id == *id) {
            credentials_revision.clone_into(&mut old.credentials_revision);
        }
    }

    /// A token was revoked and proved dead.
    pub fn revoked(&mut self, attempt: u32, id: &TokenId, proof: Proof, now: Time) {
        let is = |old: &Superseded| old.attempt == attempt && old.id == *id;
        let known = self.superseded.iter().find(|old| is(old)).map(|old| old.nonce.clone());
        self.superseded.retain(|old| !is(old));
        let current = self.take_current(attempt, id, now);
        let nonce = known.or(current.map(|current| current.nonce)).unwrap_or_default();
        self.history.insert(0, Revoked { attempt, id: id.clone(), nonce, revoked_time: now, proof });
        self.history.truncate(MAX_HISTORY);
        self.prune(now);
    }

    /// Takes over the deaths that another version of this ledger knows of.
    pub fn learn_deaths(&mut self, other: &Self) {
        for dead in other.history.iter().rev().filter(|dead| self.has_token(dead.attempt, &dead.id)).collect::<Vec<_>>()
        {
            self.revoked(dead.attempt, &dead.id, dead.proof, dead.revoked_time);
        }
    }

    /// A revoke did not succeed, or nothing proved it. The next try waits for the back-off of this token.
    pub fn revoke_failed(&mut self, attempt: u32, id: &TokenId, first_retry: Duration, now: Time) {
        if let Some(current) = self.take_current(attempt, id, now) {
            self.supersede(of_current(current, now));
        }
        if !self.superseded.iter().any(|old| old.attempt == attempt && old.id == *id) {
            self.supersede(superseded(attempt, id.clone(), Nonce::default(), None, now));
        }
        for old in self.superseded.iter_mut().filter(|old| old.attempt == attempt && old.id == *id) {
            old.tries = old.tries.saturating_add(1);
            old.next_try_time = Some(now.plus(backoff(first_retry, old.tries)));
        }
    }

    /// Says why the last revoke of this token failed.
    pub fn explain_revoke(&mut self, attempt: u32, id: &TokenId, why: &str) {
        for old in self.superseded.iter_mut().filter(|old| old.attempt == attempt && old.id == *id) {
            old.failure = why.chars().take(MAX_FAILURE).collect();
        }
    }

    /// An older version may have recorded the current token without a digest. Such a token counts as requested with today's parameters
    /// and lifetime. Every record fills in their digest, so that the operator notices a later change.
    pub fn fill_in_digest(&mut self, digest: &str) {
        if let Some(current) = self.current.as_mut().filter(|current| current.request_digest.is_empty()) {
            digest.clone_into(&mut current.request_digest);
        }
    }

    /// The Secret of a deleted object of the same name holds the token with this id.
    pub fn will_replace(&mut self, id: TokenId) {
        self.replaced = Some(Replaced { id, until_time: None });
    }

    /// People are reminded that the current token expires in so many days, or has expired.
    pub fn reminded(&mut self, days: u32) {
        if let Some(current) = &mut self.current {
            current.reminded_days = Some(days);
        }
    }

    /// The service accepted the current token, which was published without asking.
    pub fn probed(&mut self) {
        if let Some(current) = &mut self.current {
            current.probed = true;
        }
    }

    /// The service's answers about the current token say nothing, or they do again.
    pub fn unclear(&mut self, unclear: Option<Unclear>) {
        if let Some(current) = &mut self.current {
            current.unclear = unclear;
        }
    }

    /// Removes the current token from its place, if it is that of this attempt.
    fn take_current(&mut self, attempt: u32, id: &TokenId, now: Time) -> Option<Current> {
        let current = self.current.take_if(|current| current.attempt == attempt && current.id == *id)?;
        if let Some(leak) = self.leak.as_mut().filter(|leak| leak.covers(current.claimed_time)) {
            leak.revoked_time.get_or_insert(now);
        }
        Some(current)
    }

    /// When a listed token was claimed, if its claim is still known.
    fn claimed_time(&self, row: &Row) -> Option<Time> {
        let lost = self.lost.iter().map(|lost| (lost.key(), lost.time));
        let claim = self.claim.iter().map(|claim| (claim.key(), claim.time));
        lost.chain(claim).find(|(key, _)| *key == row.key()).map(|(_, time)| time)
    }

    fn decide(&mut self, claim: &Claim, outcome: Outcome) {
        self.lost.retain(|lost| lost.key() != claim.key());
        match &mut self.claim {
            Some(newest) if newest.attempt == claim.attempt && newest.outcome.is_none() => {
                newest.outcome = Some(outcome)
            }
            Some(_) => {}
            // Only the finalizer's claim is in no ledger. Any other claim was lost with its ledger. Then the implied claim stays
            // open, so that the operator lists the service for whatever else was lost.
            None if claim.nonce.is_first() => self.claim = Some(Claim { outcome: Some(outcome), ..claim.clone() }),
            None => {}
        }
    }

    fn supersede(&mut self, token: Superseded) {
        // A service that gives the id of an older token to this one has ended the older one.
        self.superseded.retain(|old| old.id != token.id || old.attempt >= token.attempt);
        // A list may have shown the token before its own process gave it up: it keeps one entry, and the longer wait counts.
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
        // A token that was handed over is where the person has it.
        if claim.hand_over.is_some() {
            return;
        }
        if !attributable {
            return self.possibly_lose(claim);
        }
        // A list may have shown its token already.
        if self.superseded.iter().any(|old| old.key() == claim.key()) {
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
        let delay = backoff(failure.first_delay(), count).max(failure.at_least);
        let Failure { reason, message, generation, .. } = failure;
        Failures { count, next_try_time: now.plus(delay), generation, reason, message }
    }

    fn prune(&mut self, now: Time) {
        self.lost.retain(|lost| now.since(lost.time) < LOST_FOR);
        self.replaced.take_if(|replaced| replaced.until_time.is_some_and(|until| until <= now));
    }
}

#[cfg(test)]
mod tests;

//! Questions about what stands in the ledger.

use crate::api::ledger::Ledger;
use crate::api::time::Time;

impl Ledger {
    /// The highest attempt that stands anywhere in it.
    pub fn highest_attempt(&self) -> u32 {
        let claim = self.claim.iter().map(|claim| claim.attempt);
        let current = self.current.iter().map(|current| current.attempt);
        let superseded = self.superseded.iter().map(|old| old.attempt);
        let lost = self.lost.iter().map(|lost| lost.attempt);
        let possibly = self.possibly_lost.iter().map(|lost| lost.attempt);
        let dead = self.history.iter().map(|dead| dead.attempt);
        claim.chain(current).chain(superseded).chain(lost).chain(possibly).chain(dead).max().unwrap_or(0)
    }

    /// Whether this id stands in it as alive.
    pub fn knows(&self, id: &str) -> bool {
        let current = self.current.as_ref().is_some_and(|current| current.id == id);
        current || self.superseded.iter().any(|old| old.id == id)
    }

    /// Whether this token was revoked and seen dead not long ago.
    pub fn ended(&self, id: &str) -> bool {
        self.history.iter().any(|dead| dead.id == id)
    }

    /// The nonces of this attempt, as far as they stand in it; an empty one is not known.
    pub fn nonces_of(&self, attempt: u32) -> impl Iterator<Item = &str> {
        let claim = self.claim.iter().map(|claim| (claim.attempt, &claim.nonce));
        let current = self.current.iter().map(|current| (current.attempt, &current.nonce));
        let superseded = self.superseded.iter().map(|old| (old.attempt, &old.nonce));
        let lost = self.lost.iter().map(|lost| (lost.attempt, &lost.nonce));
        let dead = self.history.iter().map(|dead| (dead.attempt, &dead.nonce));
        let all = claim.chain(current).chain(superseded).chain(lost).chain(dead);
        all.filter(move |(of, _)| *of == attempt).map(|(_, nonce)| nonce.as_str())
    }

    /// Tokens that may be alive, found ones included and lost ones not.
    pub fn alive(&self) -> usize {
        usize::from(self.current.is_some()) + self.superseded.len()
    }

    /// The token that is claimed at this time leaked.
    pub fn leak_covers(&self, claimed: Time) -> bool {
        self.leak.as_ref().is_some_and(|leak| leak.covers(claimed))
    }

    /// A leaked token was in use, and has no replacement yet.
    pub fn leak_is_open(&self) -> bool {
        self.leak.as_ref().is_some_and(|leak| leak.replaced_time.is_none())
    }
}

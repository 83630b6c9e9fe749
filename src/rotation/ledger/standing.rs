//! Questions about the content of the ledger.

use crate::api::ids::{ClaimKey, TokenId};
use crate::api::ledger::{Claim, Current, Ledger, Lost, MAX_LIVE, Revoked, Superseded};
use crate::api::time::Time;

impl Ledger {
    /// The highest attempt anywhere in it.
    pub fn highest_attempt(&self) -> u32 {
        let claim = self.claim.iter().map(|claim| claim.attempt);
        let current = self.current.iter().map(|current| current.attempt);
        let superseded = self.superseded.iter().map(|old| old.attempt);
        let lost = self.lost.iter().map(|lost| lost.attempt);
        let possibly = self.possibly_lost.iter().map(|lost| lost.attempt);
        let dead = self.history.iter().map(|dead| dead.attempt);
        claim.chain(current).chain(superseded).chain(lost).chain(possibly).chain(dead).max().unwrap_or(0)
    }

    /// The ids of the tokens that it lists as living.
    pub fn living(&self) -> Vec<TokenId> {
        let current = self.current.iter().map(|current| current.id.clone());
        current.chain(self.superseded.iter().map(|old| old.id.clone())).collect()
    }

    /// Whether it lists this id as a living token.
    pub fn knows(&self, id: &TokenId) -> bool {
        let current = self.current.as_ref().is_some_and(|current| current.id == *id);
        current || self.superseded.iter().any(|old| old.id == *id)
    }

    /// Whether it lists the token of this attempt as living. A service may give an id again, so an id alone says less.
    pub fn has_token(&self, attempt: u32, id: &TokenId) -> bool {
        let same = |of: u32, known: &TokenId| of == attempt && known == id;
        let current = self.current.as_ref().is_some_and(|current| same(current.attempt, &current.id));
        current || self.superseded.iter().any(|old| same(old.attempt, &old.id))
    }

    /// Whether a person handed this token over, so that only a person can revoke it.
    pub fn is_by_hand(&self, attempt: u32, id: &TokenId) -> bool {
        let current = self.current.iter().map(|current| (current.attempt, &current.id, current.hand_over.is_some()));
        let superseded = self.superseded.iter().map(|old| (old.attempt, &old.id, old.handed_over));
        current.chain(superseded).any(|(of, known, by_hand)| by_hand && of == attempt && known == id)
    }

    /// The tokens of which one at least lives now, as far as the ledger knows, beside one that is to die: the current token, unless it
    /// has expired. But a ledger that went back to an earlier state may name one that is dead by now, while the Secret holds a later one
    /// that was found since.
    pub fn controls(&self, doomed: (u32, &TokenId), now: Time, held: impl Fn(&TokenId) -> bool) -> Vec<&TokenId> {
        let lives = |current: &&Current| {
            current.rejected_time.is_none() && current.expiration_time.is_none_or(|expires| expires > now)
        };
        let current = self.current.as_ref().filter(lives);
        let Some(current) = current.filter(|current| (current.attempt, &current.id) != doomed) else {
            return Vec::new();
        };
        let later = |attempt: u32, id: &TokenId| attempt > current.attempt && (attempt, id) != doomed && held(id);
        let found = self.superseded.iter().find(|old| later(old.attempt, &old.id)).map(|old| &old.id);
        [&current.id].into_iter().chain(found).collect()
    }

    /// Whether this token was recently revoked and proved dead.
    pub fn ended(&self, attempt: u32, id: &TokenId) -> bool {
        self.history.iter().any(|dead| (dead.attempt, &dead.id) == (attempt, id))
    }

    /// Whether it has this claim, or the token of it.
    pub fn has_claimed(&self, key: ClaimKey<'_>) -> bool {
        let claims = self.claim.iter().map(Claim::key).chain(self.lost.iter().map(Lost::key));
        let living = self.current.iter().map(Current::key).chain(self.superseded.iter().map(Superseded::key));
        let dead = self.history.iter().map(Revoked::key);
        claims.chain(living).chain(dead).any(|known| known == key)
    }

    /// The current token, if its rotation is complete now that the token of this attempt is dead: no older token is left. The token of
    /// a later attempt, which failed, says nothing about that.
    pub fn completed_by(&self, dead: u32) -> Option<&Current> {
        let current = self.current.as_ref().filter(|current| dead < current.attempt)?;
        let older = self.superseded.iter().any(|old| old.attempt < current.attempt);
        (!older).then_some(current)
    }

    /// How many tokens it lists as living; lost claims do not count.
    pub fn alive(&self) -> usize {
        usize::from(self.current.is_some()) + self.superseded.len()
    }

    /// Whether another token may be made. Up to the limit, a rotation does not wait for an old token that resists its revoke. The last place
    /// is kept for a leak.
    pub fn has_room(&self) -> bool {
        let kept = usize::from(!self.leak_is_open());
        self.alive() + kept < MAX_LIVE
    }

    /// Whether consumers may hold this token of a deleted object of the same name.
    pub fn spares(&self, id: &TokenId, now: Time) -> bool {
        let replaced = self.replaced.as_ref().filter(|replaced| replaced.id == *id);
        replaced.is_some_and(|replaced| replaced.until_time.is_none_or(|until| until > now))
    }

    /// Whether a token claimed at this time leaked.
    pub fn leak_covers(&self, claimed: Time) -> bool {
        self.leak.as_ref().is_some_and(|leak| leak.covers(claimed))
    }

    /// Whether a leaked token was in use and has no replacement yet.
    pub fn leak_is_open(&self) -> bool {
        self.leak.as_ref().is_some_and(|leak| leak.replaced_time.is_none())
    }
}

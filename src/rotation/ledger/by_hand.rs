//! The tokens that a person made, and that only a person can revoke.

use crate::api::ids::TokenId;
use crate::api::ledger::{Ledger, Superseded};
use crate::api::time::Time;

/// A token that a person must revoke now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToRevoke<'a> {
    /// Its attempt.
    pub attempt: u32,
    /// The end of its value.
    pub hint: Option<&'a str>,
    /// When it was handed over.
    pub claimed: Option<Time>,
    /// Since when.
    pub since: Time,
}

impl Ledger {
    /// Whether any token in it was handed over, also one that is dead by now: its value may still be kept.
    pub fn has_by_hand(&self) -> bool {
        let claim = self.claim.as_ref().is_some_and(|claim| claim.hand_over.is_some());
        let dead = self.history.iter().any(|dead| dead.id == TokenId::of_hand_over(dead.attempt));
        claim || dead || self.living_by_hand().next().is_some()
    }

    /// The ids of the living tokens that were handed over.
    pub fn living_by_hand(&self) -> impl Iterator<Item = &TokenId> {
        let current = self.current.iter().filter(|current| current.hand_over.is_some()).map(|current| &current.id);
        current.chain(self.superseded.iter().filter(|old| old.handed_over).map(|old| &old.id))
    }

    /// The end of the value of this living token, if it is known.
    pub fn hint_of(&self, id: &TokenId) -> Option<&str> {
        let current = self.current.as_ref().filter(|current| current.id == *id).map(|current| current.hint.as_deref());
        let superseded = || self.superseded.iter().find(|old| old.id == *id).map(|old| old.hint.as_deref());
        current.or_else(superseded).flatten()
    }

    /// The attempt of this living token.
    pub fn attempt_of(&self, id: &TokenId) -> Option<u32> {
        let current = self.current.iter().map(|current| (current.attempt, &current.id));
        let superseded = self.superseded.iter().map(|old| (old.attempt, &old.id));
        current.chain(superseded).find(|(_, known)| *known == id).map(|(attempt, _)| attempt)
    }

    /// Notes the end of the value of a superseded token that was handed over: by it a person finds the token.
    pub fn hinted(&mut self, id: &TokenId, hint: Option<String>) {
        let old = self.superseded.iter_mut().find(|old| old.id == *id && old.handed_over);
        if let Some(old) = old.filter(|old| old.hint.is_none()) {
            old.hint = hint;
        }
    }

    /// The tokens that a person must revoke now: those that nobody needs once their overlap is over, those that leaked, and all that there
    /// are since the deletion.
    pub fn to_revoke(
        &self,
        deleted: Option<Time>,
        is_unneeded: impl Fn(&Superseded) -> bool,
        now: Time,
    ) -> Vec<ToRevoke<'_>> {
        let leaked = |claimed: Option<Time>| {
            let leak = self.leak.as_ref().filter(|leak| claimed.is_some_and(|claimed| leak.covers(claimed)));
            leak.map(|leak| leak.claimed_before)
        };
        let since = |claimed: Option<Time>, over: Option<Time>| {
            [leaked(claimed), over, deleted].into_iter().flatten().min().map(|since| since.min(now))
        };
        let superseded = self.superseded.iter().filter(|old| old.handed_over).filter_map(|old| {
            let over = Some(old.revoke_after_time).filter(|over| *over <= now && is_unneeded(old));
            let since = since(old.claimed_time, over)?;
            Some(ToRevoke { attempt: old.attempt, hint: old.hint.as_deref(), claimed: old.claimed_time, since })
        });
        let current = self.current.as_ref().filter(|current| current.hand_over.is_some()).and_then(|current| {
            let claimed = Some(current.claimed_time);
            let since = since(claimed, None)?;
            Some(ToRevoke { attempt: current.attempt, hint: current.hint.as_deref(), claimed, since })
        });
        superseded.chain(current).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ids::samples::nonce;
    use crate::api::ledger::{Claim, Failures, HandOver};
    use crate::api::reason::Reason;

    #[test]
    fn another_token_of_a_person_begins_the_back_off_anew_and_the_same_one_does_not() {
        let time = Time::from_millis(0);
        let claim = |attempt: u32, version: &str| Claim {
            attempt,
            nonce: nonce("n"),
            time,
            request_digest: String::new(),
            request: None,
            hand_over: Some(HandOver { uid: "u".to_owned(), resource_version: version.to_owned() }),
            outcome: None,
        };
        let failures = Failures {
            count: 3,
            next_try_time: time,
            generation: 1,
            reason: Reason::HandOverRefused,
            message: String::new(),
        };
        for (version, kept) in [("7", true), ("8", false)] {
            let mut ledger =
                Ledger { claim: Some(claim(1, "7")), failures: Some(failures.clone()), ..Ledger::default() };
            ledger.claimed(claim(2, version), None, false);
            assert_eq!(ledger.failures.is_some(), kept, "version {version}");
        }
    }
}

//! Entries of `superseded`: one for each way in which a token comes there.

use crate::api::ids::{Nonce, TokenId};
use crate::api::ledger::{Claim, Current, Superseded};
use crate::api::time::Time;

/// A token that nobody has tried to revoke yet.
pub(super) fn superseded(
    attempt: u32,
    id: TokenId,
    nonce: Nonce,
    claimed_time: Option<Time>,
    revoke_after: Time,
) -> Superseded {
    Superseded {
        attempt,
        id,
        nonce,
        credentials_revision: String::new(),
        claimed_time,
        revoke_after_time: revoke_after,
        unpublished: false,
        held: false,
        rejected_time: None,
        handed_over: false,
        hint: None,
        tries: 0,
        next_try_time: None,
        failure: String::new(),
    }
}

/// The entry of a token that was current.
pub(super) fn of_current(current: Current, revoke_after: Time) -> Superseded {
    let Current { attempt, id, nonce, claimed_time, credentials_revision, rejected_time, .. } = current;
    let handed_over = current.hand_over.is_some();
    Superseded {
        credentials_revision,
        rejected_time,
        handed_over,
        // By it a person finds the token that only a person can revoke.
        hint: current.hint.filter(|_| handed_over),
        ..superseded(attempt, id, nonce, Some(claimed_time), revoke_after)
    }
}

/// The entry for the token of a failed claim.
pub(super) fn of_claim(claim: &Claim, id: TokenId, revoke_after: Time) -> Superseded {
    // A claim that is in no ledger any more does not say it, and the id does.
    let handed_over = claim.hand_over.is_some() || id == TokenId::of_hand_over(claim.attempt);
    Superseded { handed_over, ..superseded(claim.attempt, id, claim.nonce.clone(), Some(claim.time), revoke_after) }
}

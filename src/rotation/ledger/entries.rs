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
        tries: 0,
        next_try_time: None,
        failure: String::new(),
    }
}

/// The entry of a token that was current.
pub(super) fn of_current(current: Current, revoke_after: Time) -> Superseded {
    let Current { attempt, id, nonce, claimed_time, credentials_revision, rejected_time, .. } = current;
    Superseded {
        credentials_revision,
        rejected_time,
        ..superseded(attempt, id, nonce, Some(claimed_time), revoke_after)
    }
}

/// The entry for the token of a failed claim.
pub(super) fn of_claim(claim: &Claim, id: TokenId, revoke_after: Time) -> Superseded {
    superseded(claim.attempt, id, claim.nonce.clone(), Some(claim.time), revoke_after)
}

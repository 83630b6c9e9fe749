//! A token that is to be revoked, as the ledger and the list of this pass know it.

use crate::api::ids::{Nonce, TokenId};
use crate::controller::token::pass::Pass;
use crate::rotation::identity;
use crate::rotation::proof::Doomed;

/// What the ledger knows of the token. Ids may come back, so the attempt tells tokens apart.
pub(super) fn doomed(pass: &Pass<'_>, attempt: u32, id: &TokenId) -> Doomed {
    let ledger = pass.ledger();
    let uid16 = identity::uid16(pass.uid());
    let blank = Doomed {
        uid16,
        attempt,
        nonce: Nonce::default(),
        id: id.clone(),
        credentials_revision: String::new(),
        claimed: None,
        due: None,
    };
    let old = ledger.superseded.iter().find(|old| blank.is(old.attempt, &old.id));
    let current = ledger.current.as_ref().filter(|current| blank.is(current.attempt, &current.id));
    match (old, current) {
        (Some(old), _) => Doomed {
            nonce: old.nonce.clone(),
            credentials_revision: old.credentials_revision.clone(),
            claimed: old.claimed_time,
            due: Some(old.revoke_after_time),
            ..blank
        },
        (None, Some(current)) => Doomed {
            nonce: current.nonce.clone(),
            credentials_revision: current.credentials_revision.clone(),
            claimed: Some(current.claimed_time),
            ..blank
        },
        // Only the list of this pass leads to it, which today's credential has read.
        (None, None) => {
            let row = pass.listing().into_iter().flatten().find(|row| blank.is(row.attempt, &row.id));
            let revision = pass.service().filter(|_| row.is_some()).map(|service| service.revision.clone());
            let nonce = row.map(|row| row.nonce.clone());
            Doomed { nonce: nonce.unwrap_or_default(), credentials_revision: revision.unwrap_or_default(), ..blank }
        }
    }
}

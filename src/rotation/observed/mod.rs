//! What a pass saw: the input of the decision beside the wish.
//!
//! It comes in parts, each with a `Default` that says "nothing of the kind": a new fact stands in one part, is set by the
//! controller where it is seen, and is looked at by its row.

mod facts;
mod in_flight;
mod object;
mod secret;
mod service;

use crate::api::ledger::{Claim, Ledger};
use crate::rotation::identity::FIRST_NONCE;

pub use facts::{Facts, Pauses};
pub use in_flight::Hand;
pub use object::{Leave, Object};
pub use secret::{Content, Ours, SecretState, Secrets, Seen};
pub use service::{Row, Service, ServiceSeen, Verdict};

/// Everything that the decision looks at, beside the wish and the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The object.
    pub object: Object,
    /// The ledger as read, or as this process wrote it last.
    pub ledger: Ledger,
    /// The Secrets that shall hold the token.
    pub secrets: Secrets,
    /// What this process alone has.
    pub hand: Hand,
    /// The service.
    pub service: Service,
    /// What this process found out, in this pass and before.
    pub facts: Facts,
}

impl Observed {
    /// The undecided claim, in hand or not. An object with the finalizer and no claim in its ledger has an implied one:
    /// the finalizer's patch (P1), of attempt 1, whose outcome nobody recorded.
    pub fn open_claim(&self) -> Option<Claim> {
        match &self.ledger.claim {
            Some(claim) => claim.outcome.is_none().then(|| claim.clone()),
            None => self.object.finalizer.then(|| Claim {
                attempt: 1,
                nonce: FIRST_NONCE.to_owned(),
                time: self.object.created,
                request_digest: String::new(),
                request: None,
                outcome: None,
            }),
        }
    }

    /// The open claim if it is not in this process's hand.
    pub fn stray_claim(&self) -> Option<Claim> {
        self.open_claim().filter(|claim| self.hand.attempt() != Some(claim.attempt))
    }

    /// Whether this token is what this process has in hand: its value, or what *generate* made of the claim without an answer.
    pub fn in_hand(&self, row: &Row) -> bool {
        let claimed = |claim: &Claim| (claim.attempt, &claim.nonce) == (row.attempt, &row.nonce);
        match self.hand {
            Hand::Empty => false,
            Hand::Claim { attempt, .. } => attempt == row.attempt && self.open_claim().as_ref().is_some_and(claimed),
            Hand::Value { .. } => self.hand.holds(&row.id),
        }
    }

    /// Whether every Secret holds the ledger's current token.
    pub fn holds_current(&self) -> bool {
        self.ledger.current.as_ref().is_some_and(|current| self.secrets.published(current.attempt, &current.id))
    }

    /// The highest attempt that was ever seen; the next claim is above it.
    pub fn highest_attempt(&self) -> u32 {
        let secrets = self.secrets.ours().map(|ours| ours.fence);
        let rows = self.service.own_rows().map(|row| row.attempt);
        let implied = self.open_claim().map(|claim| claim.attempt);
        secrets.chain(rows).chain(implied).chain([self.ledger.highest_attempt()]).max().unwrap_or(0)
    }
}

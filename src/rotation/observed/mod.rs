//! What a pass saw: the input of the decision beside the checked spec.
//!
//! It has six parts. The `Default` of each part says "nothing of the kind". A new fact belongs to one part; the controller sets it
//! where it sees it, and a row of the decision reads it.

mod by_hand;
mod facts;
mod in_flight;
mod object;
mod secret;
mod service;

use crate::api::ids::Nonce;
use crate::api::ledger::{Claim, Current, Ledger};
use crate::api::time::Time;

pub use by_hand::{Brought, ByHand, Companion, Offer, OfferState};
pub use facts::{Facts, Pauses};
pub use in_flight::InFlight;
pub use object::{Leave, Object};
pub use secret::{Content, Former, Ours, SecretState, Secrets, Seen};
pub use service::{Others, Row, Service, ServiceSeen, Verdict};

/// Everything that the decision looks at, beside the checked spec and the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The object.
    pub object: Object,
    /// The ledger as read, or as this process wrote it last.
    pub ledger: Ledger,
    /// The Secrets that must hold the token.
    pub secrets: Secrets,
    /// The attempt that only this process has.
    pub in_flight: InFlight,
    /// The service.
    pub service: Service,
    /// What a person does by hand.
    pub by_hand: ByHand,
    /// What this process learned, in this pass and before.
    pub facts: Facts,
}

impl Observed {
    /// The undecided claim, in flight or not. An object with the finalizer and no claim in its ledger has an implied claim: the patch
    /// that added the finalizer claimed attempt 1 (P1), and nobody recorded its outcome. A finalizer that somebody else put on an object
    /// which may not use its service is no claim, and neither is any where a person makes the tokens: each of their claims is recorded.
    pub fn open_claim(&self) -> Option<Claim> {
        match &self.ledger.claim {
            Some(claim) => claim.outcome.is_none().then(|| claim.clone()),
            None => (self.object.finalizer && !self.object.unclaimed && !self.is_unclaimed_by_hand()).then(|| Claim {
                attempt: 1,
                nonce: Nonce::first(),
                time: self.object.created,
                request_digest: String::new(),
                request: None,
                hand_over: None,
                outcome: None,
            }),
        }
    }

    /// Whether the finalizer came before a person handed anything over. Nothing of a first claim from before the service lost its *generate* is
    /// at hand either.
    fn is_unclaimed_by_hand(&self) -> bool {
        let first = self.in_flight != InFlight::Nothing || self.secrets.ours().any(|ours| ours.attempt == 1);
        self.service.is_by_hand() && !first
    }

    /// Whether the object ever had a claim, as far as anything still tells. Then a token of it may live, and the finalizer belongs on it.
    pub fn ever_claimed(&self) -> bool {
        let Ledger { claim, lost, possibly_lost, .. } = &self.ledger;
        let recorded = claim.is_some() || !lost.is_empty() || !possibly_lost.is_empty() || self.ledger.alive() > 0;
        recorded || self.in_flight != InFlight::Nothing || self.secrets.own()
    }

    /// Whether the attempt in flight takes up a token that a person handed over.
    pub fn takes_up(&self) -> bool {
        let of_attempt = |claim: &Claim| Some(claim.attempt) == self.in_flight.attempt();
        self.open_claim().filter(of_attempt).is_some_and(|claim| claim.hand_over.is_some())
    }

    /// The open claim, unless it is in flight in this process.
    pub fn unresolved_claim(&self) -> Option<Claim> {
        self.open_claim().filter(|claim| self.in_flight.attempt() != Some(claim.attempt))
    }

    /// Whether this token belongs to the attempt in flight: it is the value, or *generate* made it for the claim and the answer is not
    /// here.
    pub fn is_in_flight(&self, row: &Row) -> bool {
        let claimed = |claim: &Claim| claim.key() == row.key();
        match self.in_flight {
            InFlight::Nothing => false,
            InFlight::Claim { attempt, .. } => {
                attempt == row.attempt && self.open_claim().as_ref().is_some_and(claimed)
            }
            InFlight::Value { .. } => self.in_flight.holds(&row.id),
        }
    }

    /// Whether every Secret holds the ledger's current token.
    pub fn holds_current(&self) -> bool {
        self.ledger.current.as_ref().is_some_and(|current| self.secrets.published(current.attempt, &current.id))
    }

    /// Whether the Secret holds a current token that works, as far as known.
    pub fn works(&self, now: Time) -> bool {
        let lives =
            |current: &Current| current.rejected_time.is_none() && current.expiration_time.is_none_or(|end| end > now);
        self.holds_current() && self.ledger.current.as_ref().is_some_and(lives)
    }

    /// The highest attempt seen anywhere; the next claim takes a higher one.
    pub fn highest_attempt(&self) -> u32 {
        let secrets = self.secrets.ours().map(|ours| ours.fence);
        let rows = self.service.own_rows().map(|row| row.attempt);
        let implied = self.open_claim().map(|claim| claim.attempt);
        secrets.chain(rows).chain(implied).chain([self.ledger.highest_attempt()]).max().unwrap_or(0)
    }
}

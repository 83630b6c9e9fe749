//! What a row looks at, and what several rows ask of it.

use crate::api::ledger::Claim;
use crate::api::time::Time;
use crate::rotation::desired::Desired;
use crate::rotation::observed::{Content, Observed, Ours, Row};
use crate::rotation::plan::step::Step;

/// The input of the decision.
pub(super) struct View<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) now: Time,
}

impl View<'_> {
    /// This pause is not over.
    pub(super) fn paused(&self, until: Option<Time>) -> bool {
        until.is_some_and(|until| until > self.now)
    }

    /// The step, after a live read of the Secrets.
    pub(super) fn after_read(&self, step: Step) -> Step {
        if self.observed.secrets.live() { step } else { Step::Read }
    }

    /// The undecided claim whose token every Secret holds.
    pub(super) fn undecided_attempt(&self) -> Option<(&Ours, Claim)> {
        let observed = self.observed;
        let ours = observed.secrets.ours().next()?;
        let same =
            |other: &Ours| other.content == Content::Token && other.attempt == ours.attempt && other.id == ours.id;
        if ours.attempt == 0 || ours.predecessor.is_some() || !observed.secrets.all_ours(same) {
            return None;
        }
        // With no claim in the ledger it may be a lost one, which knew of other claims: only the hand tells that it is not. It
        // is abandoned once settled, and the service listed for what it knew.
        let known = observed.ledger.claim.is_some() || observed.hand.attempt() == Some(ours.attempt);
        observed.open_claim().filter(|claim| known && claim.attempt == ours.attempt).map(|claim| (ours, claim))
    }

    /// Listed tokens that neither the ledger nor this process's hand knows, and that the Secret does not hold undecided. One
    /// that it holds since before the ledger was lost is taken in: it is replaced, and nothing else would lead to it.
    pub(super) fn unknown_rows(&self) -> impl Iterator<Item = &Row> {
        let observed = self.observed;
        let undecided = self.undecided_attempt().and_then(|(ours, _)| ours.id.clone());
        observed.service.own_rows().filter(move |row| {
            !observed.ledger.knows(&row.id) && undecided.as_ref() != Some(&row.id) && !observed.in_hand(row)
        })
    }

    /// `suspend` stands against a new token, but not against the replacement of a leaked one.
    pub(super) fn held_back(&self) -> bool {
        self.desired.suspended && !self.observed.ledger.leak_is_open()
    }

    /// When the issue step may be tried again, if that is later than now. A changed spec cancels the back-off.
    pub(super) fn backing_off(&self) -> Option<Time> {
        let failures = self.observed.ledger.failures.as_ref()?;
        let same_spec = failures.generation == self.observed.object.generation;
        same_spec.then_some(failures.next_try_time).filter(|next| *next > self.now)
    }
}

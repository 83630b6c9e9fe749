//! The input of a row, and questions that several rows ask of it.

use crate::api::ids::TokenId;
use crate::api::ledger::{Claim, Outcome, Superseded};
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::rotation::desired::{Desired, Halt};
use crate::rotation::ledger::{MAX_REPLACEMENT_PAUSE, MAX_RETRY_DELAY};
use crate::rotation::now::Now;
use crate::rotation::observed::{Companion, Content, Observed, Ours, Row};
use crate::rotation::plan::step::Step;
use crate::rotation::schedule::{Trigger, rotation_requested, trigger};

/// The input of the decision.
pub(super) struct View<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) now: Now,
}

impl View<'_> {
    /// Whether older tokens of the service have their turn first after a leak. Of many tokens, that may take hours.
    pub(super) fn waits_for_its_turn(&self) -> bool {
        self.observed.facts.pauses.leak.is_some_and(|turn| !self.now.reached(turn))
    }

    /// Whether this pause is not over yet.
    pub(super) fn paused(&self, until: Option<Time>) -> bool {
        until.is_some_and(|until| self.is_ahead(until))
    }

    /// Whether a pause or a back-off that ends then is not over. None is longer than an hour: one that seems to be was written by a
    /// clock that was set back since.
    pub(super) fn is_ahead(&self, end: Time) -> bool {
        !self.now.reached(end) && end <= self.now.time().plus(MAX_RETRY_DELAY)
    }

    /// Whether the replacement of a dead token has not its turn yet.
    pub(super) fn waits_to_replace(&self, next: Option<Time>) -> bool {
        next.is_some_and(|next| {
            !self.now.reached(next) && next <= self.now.time().plus(MAX_REPLACEMENT_PAUSE + MAX_RETRY_DELAY)
        })
    }

    /// Whether a revoke of this token failed a moment ago.
    pub(super) fn was_just_tried(&self, old: &Superseded) -> bool {
        old.next_try_time.is_some_and(|next| self.is_ahead(next))
    }

    /// The step, or first a live read of the Secrets.
    pub(super) fn after_read(&self, step: Step) -> Step {
        if self.observed.secrets.live() { step } else { Step::Read }
    }

    /// The step, which ends this token; first the turn at the service for it.
    pub(super) fn in_turn(&self, id: &TokenId, step: Step) -> Step {
        if self.observed.facts.turn { step } else { Step::TakeTurn(id.clone()) }
    }

    /// The step that ends this token: a revoke, or the question whether a person has revoked it.
    pub(super) fn ending(&self, attempt: u32, id: &TokenId) -> Step {
        let id = id.clone();
        if !self.observed.ledger.is_by_hand(attempt, &id) {
            return Step::Revoke { attempt, id };
        }
        // Its value may be kept there.
        if self.observed.by_hand.companion == Companion::Unread {
            Step::ReadCompanion
        } else {
            Step::Prove { attempt, id }
        }
    }

    /// Whether this token, which a person must revoke, was asked about a moment ago.
    pub(super) fn was_just_asked(&self, id: &TokenId) -> bool {
        self.observed.by_hand.asked.get(id).is_some_and(|next| self.is_ahead(*next))
    }

    /// Whether a new token is wanted, or a person hands one over.
    pub(super) fn is_wanted(&self) -> bool {
        let observed = self.observed;
        let offered = observed.service.is_by_hand() && observed.by_hand.offers();
        offered || trigger(self.desired, observed, self.now.time()).is_some()
    }

    /// The undecided claim whose token every Secret holds.
    pub(super) fn undecided_attempt(&self) -> Option<(&Ours, Claim)> {
        let observed = self.observed;
        let ours = observed.secrets.ours().next()?;
        let same =
            |other: &Ours| other.content == Content::Token && other.attempt == ours.attempt && other.id == ours.id;
        if ours.attempt == 0 || !observed.secrets.all_ours(same) {
            return None;
        }
        // A ledger without a claim may have lost it, and others with it. Only an attempt in flight shows that it has not. Otherwise the
        // row *unresolved_claim* abandons the claim once it is settled, and lists the service for what the ledger lost.
        let known = observed.ledger.claim.is_some() || observed.in_flight.attempt() == Some(ours.attempt);
        observed.open_claim().filter(|claim| known && claim.attempt == ours.attempt).map(|claim| (ours, claim))
    }

    /// Listed tokens that are not in the ledger, not in flight, and not undecided in the Secret. A token that the Secret has held since
    /// before the ledger was lost is one of them: it is replaced later, and then nothing else would lead to it.
    pub(super) fn orphaned_rows(&self) -> impl Iterator<Item = &Row> {
        let observed = self.observed;
        let undecided = self.undecided_attempt().and_then(|(ours, _)| ours.id.clone());
        observed.service.own_rows().filter(move |row| {
            !observed.ledger.has_token(row.attempt, &row.id)
                && undecided.as_ref() != Some(&row.id)
                && !observed.is_in_flight(row)
        })
    }

    /// Whether `suspend` forbids a new token. It does not forbid the replacement of a leaked one.
    pub(super) fn is_suspended(&self) -> bool {
        self.desired.suspended && !self.observed.ledger.leak_is_open()
    }

    /// Whether a new token waits for nothing that a refusal asks to wait for: a person wants one, one leaked, or the Secret does not
    /// hold what the ledger says, which is no refusal.
    pub(super) fn is_urgent(&self) -> bool {
        let observed = self.observed;
        let drift = trigger(self.desired, observed, self.now.time()) == Some(Trigger::Drift);
        drift || rotation_requested(observed) || observed.ledger.leak_is_open()
    }

    /// Why no new token is generated while the service refuses most tokens (P20). One that it still accepts is replaced as at any time.
    pub(super) fn refused_by_service(&self) -> Option<Halt> {
        let refuses = self.observed.service.seen.is_some_and(|seen| !seen.trusted);
        let message = "the service refuses most of its tokens, and none is generated for that; the service object says more. To get a \
                       new token all the same, set the annotation artifact-token.dev/rotate-requested-at to a new value";
        let works = self.observed.service.others.accepts_own;
        (refuses && !works && !self.is_urgent()).then(|| Halt::passing(Reason::TokensRefused, message))
    }

    /// When the next attempt may begin, if that is later than now. A changed spec cancels the back-off, and so does another token that a
    /// person hands over.
    pub(super) fn backing_off(&self) -> Option<Time> {
        let failures = self.observed.ledger.failures.as_ref()?;
        let failed = self.observed.ledger.claim.as_ref().and_then(|claim| claim.hand_over.as_ref());
        let another = failed.is_some_and(|failed| self.observed.by_hand.offer_of(failed).is_none());
        if another && self.observed.service.is_by_hand() && self.observed.by_hand.offers() {
            return None;
        }
        let same_spec = failures.generation == self.observed.object.generation;
        same_spec.then_some(failures.next_try_time).filter(|next| self.is_ahead(*next))
    }

    /// Until when the first publish may still create the Secret: no fence holds it up (P5), so it could create it after the object is gone.
    /// `None` if no value of attempt 1 was given up: either there was none, or the Secret held it.
    pub(super) fn first_secret_lands_until(&self) -> Option<Time> {
        let Observed { ledger, object, .. } = self.observed;
        let given_up = ledger.superseded.iter().any(|old| old.attempt == 1 && old.unpublished);
        // One that is dead by now. A later claim came after a placeholder, or after a token that the Secret held.
        let failed =
            ledger.claim.as_ref().is_some_and(|claim| claim.attempt == 1 && claim.outcome == Some(Outcome::Failed));
        let dead = failed && ledger.history.iter().any(|dead| dead.attempt == 1);
        (object.deleting && (given_up || dead)).then(|| object.created.plus(self.desired.timings.claim_settle))
    }
}

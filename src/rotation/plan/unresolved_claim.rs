//! Claims of unknown outcome that are not in flight in this process (P5, P12).

use crate::api::ledger::{Claim, HandOver};
use crate::rotation::observed::{Observed, OfferState};
use crate::rotation::plan::fence::fence_off;
use crate::rotation::plan::halt::halt;
use crate::rotation::plan::room::stranded;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::{after_pause, wait};
use crate::rotation::schedule::next_look;

pub(super) fn unresolved_claim(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { ledger, service, facts, .. } = observed;
    if let Some(claim) = observed.unresolved_claim() {
        return Some(resolve(view, &claim));
    }
    if let Some(row) = view.orphaned_rows().max_by_key(|row| row.attempt) {
        return fence_off(view, row.attempt);
    }
    let look = next_look(&ledger.lost, service.swept, &view.desired.timings);
    let due = service.suspected || look.is_some_and(|look| view.now.reached(look));
    let can_look = service.listing.is_none() && service.attributable();
    // A list that fails holds up nothing: a new token does not need to know where a lost one is.
    (due && can_look && !view.paused(facts.pauses.sweep)).then_some(Step::Sweep)
}

/// Until the claim is settled its own process may still publish. Then it is fenced off, its token looked for, and the claim abandoned.
fn resolve(view: &View, claim: &Claim) -> Step {
    let Observed { service, facts, .. } = view.observed;
    if let Some(secret) = &claim.hand_over {
        return take_up(view, claim, secret);
    }
    if !view.now.is_over(view.desired.timings.settle_time(claim)) {
        return wait(view);
    }
    if let Some(step) = fence_off(view, claim.attempt) {
        return step;
    }
    // Only the service that received the request can say whether its token lives.
    if let Some(halt) = stranded(view) {
        return Step::Halt(halt);
    }
    if service.seen.is_none() {
        return halt(view).unwrap_or_else(|| wait(view));
    }
    // Where tokens have names, the operator looks for a claim's token before it forgets the claim. And a claim that is in no ledger may
    // come from a lost ledger. Its other tokens are taken in now, before a newer claim makes their origin uncertain.
    if service.listing.is_none() && service.attributable() {
        return after_pause(view, facts.pauses.sweep, Step::Sweep);
    }
    Step::Abandon
}

/// A token that was handed over. Nothing of it can land that a fence does not hold up, and another process only does the same with the
/// same value, so nothing is waited for. It is taken up as long as its Secret is as the claim says.
fn take_up(view: &View, claim: &Claim, secret: &HandOver) -> Step {
    let Observed { ledger, secrets, by_hand, service, facts, .. } = view.observed;
    if let Some(halt) = stranded(view) {
        return Step::Halt(halt);
    }
    if service.seen.is_none() {
        return halt(view).unwrap_or_else(|| wait(view));
    }
    // What forbids a claim forbids to go on with one.
    let forbidden = view.is_suspended() || view.desired.halt.is_some() || facts.halt.is_some();
    let offer = by_hand.offer_of(secret).filter(|_| !ledger.leak_covers(claim.time) && !forbidden);
    let free = secrets.unwritable().is_none() && !secrets.any_absent() && secrets.fence() < claim.attempt;
    let step = match offer.map(|offer| &offer.state) {
        Some(OfferState::Unread) => Some(Step::ReadOffer),
        Some(OfferState::Ready) if free => Some(Step::Resume),
        Some(OfferState::Ready | OfferState::Taken | OfferState::Refused(_)) | None => None,
    };
    if let Some(step) = step {
        return after_pause(view, facts.pauses.generate.max(facts.pauses.secret), view.after_read(step));
    }
    fence_off(view, claim.attempt).unwrap_or(Step::Abandon)
}

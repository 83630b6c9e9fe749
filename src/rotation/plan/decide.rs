//! The outcome of what the Secret holds, decided once (P6).

use crate::api::ledger::{Claim, Outcome};
use crate::rotation::observed::{Hand, Observed, Ours, Verdict};
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::{after_pause, wait};

pub(super) fn decide(view: &View) -> Option<Step> {
    let Observed { secrets, service, facts, .. } = view.observed;
    let (ours, claim) = view.undecided_attempt()?;
    if !secrets.live() {
        return Some(after_pause(view, facts.pauses.secret, Step::Read));
    }
    if let Some(step) = vouch(view, ours, &claim) {
        return Some(step);
    }
    if !view.desired.probe {
        return Some(Step::Decide(Outcome::Verified));
    }
    match facts.verdict {
        None if !service.same_place() => Some(wait(view)),
        None => Some(after_pause(view, facts.pauses.verify, Step::Verify)),
        Some(Verdict::Accepted) => Some(Step::Decide(Outcome::Verified)),
        Some(Verdict::Refused) if settled(view, &claim) && service.trusted() => Some(Step::Decide(Outcome::Failed)),
        Some(Verdict::Refused) => Some(wait(view)),
    }
}

/// Anybody who may write Secrets may have written that id. This process's own hand vouches for it, or a listed token with
/// our name and this claim's nonce (P16); else it is not taken into the ledger.
fn vouch(view: &View, ours: &Ours, claim: &Claim) -> Option<Step> {
    let Observed { hand, service, facts, .. } = view.observed;
    let in_hand = matches!(hand, Hand::Value { attempt, id, .. }
        if *attempt == claim.attempt && Some(id) == ours.id.as_ref());
    if in_hand {
        return None;
    }
    if !service.same_place() {
        return Some(wait(view));
    }
    // Its own process may be about to decide, and a list may lag behind a fresh token.
    let unlisted = if settled(view, claim) { Step::Decide(Outcome::Failed) } else { wait(view) };
    if !service.attributable() {
        return Some(unlisted);
    }
    if service.listing.is_none() {
        return Some(after_pause(view, facts.pauses.sweep, Step::Sweep));
    }
    let listed = service
        .own_rows()
        .any(|row| Some(&row.id) == ours.id.as_ref() && row.attempt == claim.attempt && row.nonce == claim.nonce);
    (!listed).then_some(unlisted)
}

/// A refusal counts once a fresh token must be known to the service.
fn settled(view: &View, claim: &Claim) -> bool {
    let timings = &view.desired.timings;
    let known_by = match view.observed.hand {
        Hand::Value { issued, .. } => issued.plus(timings.token_settle),
        Hand::Empty | Hand::Claim { .. } => claim.time.plus(timings.publish_deadline),
    };
    known_by <= view.now
}

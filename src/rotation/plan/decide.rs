//! The outcome of the attempt whose token the Secret holds. It is decided once (P6).

use crate::api::ids::TokenId;
use crate::api::ledger::{Claim, Outcome};
use crate::rotation::observed::{InFlight, Observed, OfferState, Ours, Verdict};
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::{after_pause, wait};
use crate::rotation::schedule::rotation_requested;

pub(super) fn decide(view: &View) -> Option<Step> {
    let Observed { secrets, service, facts, .. } = view.observed;
    let (ours, claim) = view.undecided_attempt()?;
    if !secrets.live() {
        return Some(after_pause(view, facts.pauses.secret, Step::Read));
    }
    if let Some(step) = unattested(view, ours, &claim) {
        return Some(step);
    }
    if !view.desired.probe {
        return Some(Step::Decide(Outcome::Verified));
    }
    match facts.verdict {
        None if !service.same_place() => Some(wait(view)),
        None => Some(after_pause(view, facts.pauses.verify, Step::Verify)),
        Some(Verdict::Accepted) => Some(Step::Decide(Outcome::Verified)),
        Some(Verdict::Refused) if settled(view, &claim) && counts(view, &claim) => Some(Step::Decide(Outcome::Failed)),
        Some(Verdict::Refused) => Some(wait(view)),
    }
}

/// The step for an id that nothing attests; `None` for an attested one. Anybody who may write Secrets may have written that id. The
/// value in flight attests it, or a listed token with our name and this claim's nonce does (P16). Otherwise the id does not enter the
/// ledger.
fn unattested(view: &View, ours: &Ours, claim: &Claim) -> Option<Step> {
    let Observed { in_flight, service, facts, .. } = view.observed;
    let is_in_flight = matches!(in_flight, InFlight::Value { attempt, id, .. }
        if *attempt == claim.attempt && Some(id) == ours.id.as_ref());
    if is_in_flight {
        return None;
    }
    // No revoke is ever sent to the id of a token that was handed over. What else the Secret of that says comes first.
    if let Some(secret) = claim.hand_over.as_ref().filter(|_| ours.id == Some(TokenId::of_hand_over(claim.attempt))) {
        let unread = view.observed.by_hand.offer_of(secret).is_some_and(|offer| offer.state == OfferState::Unread);
        return unread.then(|| after_pause(view, facts.pauses.secret, Step::ReadOffer));
    }
    if !service.same_place() {
        return Some(wait(view));
    }
    // The process that made it may be about to decide, and a list may not show a fresh token yet.
    let unlisted = if settled(view, claim) { Step::Decide(Outcome::Failed) } else { wait(view) };
    if !service.attributable() {
        return Some(unlisted);
    }
    if service.listing.is_none() {
        return Some(after_pause(view, facts.pauses.sweep, Step::Sweep));
    }
    let listed = service.own_rows().any(|row| Some(&row.id) == ours.id.as_ref() && row.key() == claim.key());
    (!listed).then_some(unlisted)
}

/// Whether a refusal is about this token, and not about all of the service. A leak, and a person who asks for another token or
/// changes what is asked for, wait for no end of that.
fn counts(view: &View, claim: &Claim) -> bool {
    let Observed { object, ledger, service, .. } = view.observed;
    let asked_anew = rotation_requested(view.observed) && object.requests.rotate != claim.request;
    let changed = !claim.request_digest.is_empty() && claim.request_digest != view.desired.request_digest;
    service.trusted() || asked_anew || changed || ledger.leak_covers(claim.time)
}

/// Whether the service must know a fresh token by now.
fn settled(view: &View, claim: &Claim) -> bool {
    let timings = &view.desired.timings;
    let known_by = match view.observed.in_flight {
        InFlight::Value { issued, .. } => issued.plus(timings.token_settle),
        InFlight::Nothing | InFlight::Claim { .. } => claim.time.plus(timings.publish_deadline),
    };
    view.now.is_over(known_by)
}

//! The attempt in flight: a claim to generate a token for, or a value to publish (P2-P6).

use crate::api::ids::TokenId;
use crate::api::time::Time;
use crate::rotation::observed::{InFlight, Observed, Verdict};
use crate::rotation::plan::companion::keep_replaced;
use crate::rotation::plan::fence::raise;
use crate::rotation::plan::replaced::once_recorded;
use crate::rotation::plan::step::{GiveUpReason, Step};
use crate::rotation::plan::unknown::unknown_token;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::{after_pause, wait};

pub(super) fn in_flight(view: &View) -> Option<Step> {
    match view.observed.in_flight {
        InFlight::Nothing => None,
        InFlight::Claim { attempt, deadline } => Some(for_claim(view, attempt, deadline)),
        InFlight::Value { .. } => for_value(view),
    }
}

fn for_claim(view: &View, attempt: u32, deadline: Time) -> Step {
    let observed = view.observed;
    let Observed { ledger, secrets, service, facts, .. } = observed;
    let claim = observed.open_claim().filter(|claim| claim.attempt == attempt);
    if claim.as_ref().is_some_and(|claim| ledger.leak_covers(claim.time)) {
        return Step::GiveUp(GiveUpReason::Leaked);
    }
    if claim.is_none() || secrets.unwritable().is_some() || secrets.fence() >= attempt {
        return Step::GiveUp(GiveUpReason::Overtaken);
    }
    if view.now.reached(deadline) {
        return Step::GiveUp(GiveUpReason::Late);
    }
    // Something has forbidden a token since the claim: the spec is wrong now, or suspended, or a permission was taken away, or the
    // service refuses most tokens. The claim waits until its deadline.
    // Or the service generates no tokens any more, or the value that was handed over is not at hand.
    let unable = service.is_by_hand() || observed.takes_up();
    let forbidden = view.desired.halt.is_some() || facts.halt.is_some() || view.is_suspended() || unable;
    if !service.same_place() || forbidden || view.refused_by_service().is_some() {
        return wait(view);
    }
    unknown_token(view).unwrap_or_else(|| after_pause(view, facts.pauses.generate, Step::Generate))
}

/// `None` once the Secret holds the value: then the row *decide* decides its outcome.
fn for_value(view: &View) -> Option<Step> {
    let Observed { ledger, secrets, in_flight, service, facts, .. } = view.observed;
    let InFlight::Value { attempt, id, trial, .. } = in_flight else { return None };
    // A service may give an id again: an id of another attempt is another token.
    let recorded = ledger.has_token(*attempt, id);
    // The finalizer's claim is in no ledger, even if somebody has removed the finalizer by hand since. No token that was handed over has
    // such a claim.
    let implied = *attempt == 1 && *id != TokenId::of_hand_over(*attempt);
    let open = ledger.claim.as_ref().map_or(implied, |claim| claim.attempt == *attempt && claim.outcome.is_none());
    if secrets.published(*attempt, id) && open && !recorded {
        return None;
    }
    if !secrets.live() {
        return Some(after_pause(view, facts.pauses.secret, Step::Read));
    }
    // The ledger tracks the token from now on: another process recorded it, or this one did, and did not hear the answer.
    if recorded {
        return Some(give_up(view, GiveUpReason::Recorded));
    }
    // Another process settled the claim, or the ledger was lost.
    if !open {
        // One that was handed over and that no Secret has is with its person, so the record of its end is all that is needed.
        let with_its_person = *id == TokenId::of_hand_over(*attempt) && !secrets.have_mark_of(id);
        let reason = if with_its_person { GiveUpReason::Recorded } else { GiveUpReason::Overtaken };
        return Some(give_up(view, reason));
    }
    if let Some(reason) = reason_to_give_up(view) {
        return Some(give_up(view, reason));
    }
    let replaces = view.desired.probe && secrets.hold_a_value();
    if (replaces || view.observed.takes_up()) && *trial != Some(Verdict::Accepted) {
        if !service.same_place() {
            return Some(wait(view));
        }
        return Some(after_pause(view, facts.pauses.verify, Step::Try));
    }
    Some(match keep_replaced(view) {
        Some(Step::Wait(_)) => wait(view),
        Some(step) => after_pause(view, facts.pauses.offer, step),
        None => after_pause(view, facts.pauses.secret, once_recorded(view, Step::Update)),
    })
}

fn reason_to_give_up(view: &View) -> Option<GiveUpReason> {
    let overtaken = || is_overtaken(view).then_some(GiveUpReason::Overtaken);
    // A token that was handed over is fenced off before it is given up, and that is not why.
    if view.observed.takes_up() {
        own_reason(view).or_else(overtaken)
    } else {
        overtaken().or_else(|| own_reason(view))
    }
}

/// Whether the publish cannot land any more.
fn is_overtaken(view: &View) -> bool {
    let Observed { secrets, in_flight, .. } = view.observed;
    let InFlight::Value { attempt, expected, sent, .. } = in_flight else { return false };
    // Only the finalizer's claim, attempt 1, may create the Secret, and only once: if the created Secret is gone, a person deleted
    // it, perhaps long ago. Every other publish replaces a Secret or its placeholder (P5).
    let creates = secrets.any_absent() && (*attempt > 1 || *sent);
    creates || secrets.unwritable().is_some() || secrets.fence() >= *attempt || secrets.expected() != *expected
}

/// Why the attempt itself has failed.
fn own_reason(view: &View) -> Option<GiveUpReason> {
    let observed = view.observed;
    let Observed { ledger, in_flight, service, .. } = observed;
    let InFlight::Value { attempt, deadline, issued, trial, .. } = in_flight else { return None };
    if observed.open_claim().is_some_and(|claim| claim.attempt == *attempt && ledger.leak_covers(claim.time)) {
        return Some(GiveUpReason::Leaked);
    }
    // Past its deadline, the word of the service about a token that was handed over is still the reason.
    let late = view.now.reached(*deadline).then_some(GiveUpReason::Late);
    let settled = view.now.is_over(issued.plus(view.desired.timings.token_settle));
    let refused = *trial == Some(Verdict::Refused) && settled && service.trusted();
    let refused = refused.then_some(GiveUpReason::Refused);
    if observed.takes_up() { refused.or(late) } else { late.or(refused) }
}

/// A publish whose answer is unknown could still land. The step fences it off before it gives the token up.
fn give_up(view: &View, reason: GiveUpReason) -> Step {
    let Observed { secrets, in_flight, facts, .. } = view.observed;
    // Another process may have the same token that was handed over, may have sent it, and may expect another Secret than this one does.
    let shared = view.observed.takes_up();
    match in_flight {
        InFlight::Value { attempt, expected, sent, .. }
            if (shared || (*sent && secrets.expected() == *expected))
                && secrets.fence() < *attempt
                && secrets.unwritable().is_none() =>
        {
            after_pause(view, facts.pauses.secret, raise(view, *attempt))
        }
        InFlight::Nothing | InFlight::Claim { .. } | InFlight::Value { .. } => Step::GiveUp(reason),
    }
}

//! What this process alone has in hand: a claim to use, a value to publish (P2-P6).

use crate::api::time::Time;
use crate::rotation::observed::{Content, Hand, Observed, Verdict};
use crate::rotation::plan::fence::raise;
use crate::rotation::plan::replaced::replaced_token;
use crate::rotation::plan::step::{Lapse, Step};
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::{after_pause, wait};

pub(super) fn in_flight(view: &View) -> Option<Step> {
    match view.observed.hand {
        Hand::Empty => None,
        Hand::Claim { attempt, deadline } => Some(use_claim(view, attempt, deadline)),
        Hand::Value { .. } => publish(view),
    }
}

fn use_claim(view: &View, attempt: u32, deadline: Time) -> Step {
    let observed = view.observed;
    let Observed { object, ledger, secrets, service, facts, .. } = observed;
    let claim = observed.open_claim().filter(|claim| claim.attempt == attempt);
    if claim.as_ref().is_some_and(|claim| ledger.leak_covers(claim.time)) {
        return Step::GiveUp(Lapse::Leaked);
    }
    if claim.is_none() || secrets.any_foreign() || secrets.fence() >= attempt {
        return Step::GiveUp(Lapse::Overtaken);
    }
    if deadline <= view.now {
        return Step::GiveUp(Lapse::Late);
    }
    // Taken off by hand since the claim: without it the object could be gone before the answer is there.
    if !object.finalizer {
        return Step::Finalize { claims: false };
    }
    // What was forbidden since the claim, a permission taken away among it: it waits, and at its deadline it is given up.
    if !service.same_place() || facts.halt.is_some() {
        return wait(view);
    }
    replaced_token(view).unwrap_or_else(|| after_pause(view, facts.pauses.generate, Step::Generate))
}

/// `None` once the Secret holds the value: then its outcome is to be decided.
fn publish(view: &View) -> Option<Step> {
    let Observed { ledger, secrets, hand, service, facts, .. } = view.observed;
    let Hand::Value { attempt, id, trial, .. } = hand else { return None };
    let recorded = ledger.knows(id);
    // The finalizer's claim stands in no ledger, also where the finalizer was taken off by hand since.
    let open =
        ledger.claim.as_ref().map_or(*attempt == 1, |claim| claim.attempt == *attempt && claim.outcome.is_none());
    if secrets.published(*attempt, id) && open && !recorded {
        return None;
    }
    if !secrets.live() {
        return Some(after_pause(view, facts.pauses.secret, Step::Read));
    }
    // Another process recorded what became of it: the ledger looks after it from now on. Or nothing says any more that it is to come:
    // the ledger was lost.
    if recorded || !open {
        return Some(give_up(view, Lapse::Overtaken));
    }
    if let Some(lapse) = lapse(view) {
        return Some(give_up(view, lapse));
    }
    let replaces = secrets.ours().any(|ours| ours.content != Content::Empty);
    if view.desired.probe && replaces && *trial != Some(Verdict::Accepted) {
        if !service.same_place() {
            return Some(wait(view));
        }
        return Some(after_pause(view, facts.pauses.verify, Step::Try));
    }
    Some(after_pause(view, facts.pauses.secret, Step::Update))
}

fn lapse(view: &View) -> Option<Lapse> {
    let observed = view.observed;
    let Observed { ledger, secrets, hand, .. } = observed;
    let Hand::Value { attempt, deadline, issued, trial, base, sent, .. } = hand else { return None };
    // Only the finalizer's claim, attempt 1, may create, and once: what was created and is gone was deleted by a person,
    // perhaps long ago. Every other publish replaces a Secret or its shell (P5).
    let creates = secrets.any_absent() && (*attempt > 1 || *sent);
    if creates || secrets.any_foreign() || secrets.fence() >= *attempt || secrets.base() != *base {
        return Some(Lapse::Overtaken);
    }
    if observed.open_claim().is_some_and(|claim| claim.attempt == *attempt && ledger.leak_covers(claim.time)) {
        return Some(Lapse::Leaked);
    }
    if *deadline <= view.now {
        return Some(Lapse::Late);
    }
    let settled = issued.plus(view.desired.timings.token_settle) <= view.now;
    (*trial == Some(Verdict::Refused) && settled).then_some(Lapse::Refused)
}

/// A publish whose answer is unknown could still land: it is fenced off before the token is given up.
fn give_up(view: &View, lapse: Lapse) -> Step {
    let Observed { secrets, hand, facts, .. } = view.observed;
    match hand {
        Hand::Value { attempt, sent: true, base, .. }
            if secrets.base() == *base && secrets.fence() < *attempt && !secrets.any_foreign() =>
        {
            after_pause(view, facts.pauses.secret, raise(view, *attempt))
        }
        Hand::Empty | Hand::Claim { .. } | Hand::Value { .. } => Step::GiveUp(lapse),
    }
}

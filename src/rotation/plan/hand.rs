//! What this process alone has in hand: a claim to use, a value to publish (P2-P6).

use crate::rotation::ledger::MAX_FOUND;
use crate::rotation::observed::{Content, Hand, Row, Verdict};

use super::{Lapse, Step, View, leak};

pub(super) fn claim_in_hand(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Hand::Claim { attempt, deadline } = observed.hand else { return None };
    let claim = observed.open_claim().filter(|claim| claim.attempt == attempt);
    if claim.as_ref().is_some_and(|claim| leak::covers(view, claim.time)) {
        return Some(Step::GiveUp(Lapse::Leaked));
    }
    if claim.is_none() || observed.any_foreign() || observed.fence() >= attempt {
        return Some(Step::GiveUp(Lapse::Overtaken));
    }
    if deadline <= view.now {
        return Some(Step::GiveUp(Lapse::Late));
    }
    // Taken off by hand since the claim: without it the object could be gone before the answer is there.
    if !observed.finalizer {
        return Some(Step::Finalize { claims: false });
    }
    // What was forbidden since the claim, a permission taken away among it: it waits, and at its deadline it is given up.
    if !view.same_place() || observed.halt.is_some() {
        return Some(view.wait());
    }
    if let Some(step) = replaced_token(view) {
        return Some(step);
    }
    Some(view.paused(observed.pauses.generate).unwrap_or(Step::Generate))
}

/// A token that the Secret holds and the ledger does not know, a predecessor's (P22) or our own after the ledger was lost
/// (P16), goes into the ledger before the Secret is written over: afterwards nothing would lead to it.
pub(super) fn replaced_token(view: &View) -> Option<Step> {
    let observed = view.observed;
    let unknown = |id: &String| !observed.ledger.knows(id) && !observed.ledger.ended(id);
    let replaced = observed.ours().find(|ours| ours.id.as_ref().is_some_and(unknown))?;
    if !view.attributable() {
        return None;
    }
    let Some(rows) = &observed.listing else {
        return Some(view.paused(observed.pauses.sweep).unwrap_or(Step::Sweep));
    };
    let same = |row: &&Row| {
        Some(&row.id) == replaced.id.as_ref()
            && row.predecessor == replaced.predecessor.is_some()
            && (row.predecessor || row.attempt == replaced.attempt)
    };
    let room = MAX_FOUND.saturating_sub(observed.ledger.superseded.len());
    let found: Vec<Row> = rows.iter().filter(same).take(room).cloned().collect();
    (!found.is_empty())
        .then(|| view.paused(observed.pauses.secret).unwrap_or_else(|| view.after_read(Step::Supersede(found))))
}

pub(super) fn value_in_hand(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Hand::Value { attempt, id, trial, .. } = &observed.hand else { return None };
    let recorded = observed.ledger.knows(id);
    // The finalizer's claim stands in no ledger, also where the finalizer was taken off by hand since.
    let open = observed
        .ledger
        .claim
        .as_ref()
        .map_or(*attempt == 1, |claim| claim.attempt == *attempt && claim.outcome.is_none());
    if observed.published(*attempt, id) && open && !recorded {
        return None;
    }
    if !observed.live() {
        return Some(view.paused(observed.pauses.secret).unwrap_or(Step::Read));
    }
    // Another process recorded what became of it: the ledger looks after it from now on. Or nothing says any more that it is to come:
    // the ledger was lost.
    if recorded || !open {
        return Some(give_up(view, Lapse::Overtaken));
    }
    if let Some(lapse) = lapse(view) {
        return Some(give_up(view, lapse));
    }
    let replaces = observed.ours().any(|ours| ours.content != Content::Empty);
    if view.desired.probe && replaces && *trial != Some(Verdict::Accepted) {
        if !view.same_place() {
            return Some(view.wait());
        }
        return Some(view.paused(observed.pauses.verify).unwrap_or(Step::Try));
    }
    Some(view.paused(observed.pauses.secret).unwrap_or(Step::Update))
}

fn lapse(view: &View) -> Option<Lapse> {
    let observed = view.observed;
    let Hand::Value { attempt, deadline, issued, trial, base, sent, .. } = &observed.hand else { return None };
    // Only the finalizer's claim, attempt 1, may create, and once: what was created and is gone was deleted by a person,
    // perhaps long ago. Every other publish replaces a Secret or its shell (P5).
    let creates = observed.any_absent() && (*attempt > 1 || *sent);
    if creates || observed.any_foreign() || observed.fence() >= *attempt || observed.base() != *base {
        return Some(Lapse::Overtaken);
    }
    if observed.open_claim().is_some_and(|claim| claim.attempt == *attempt && leak::covers(view, claim.time)) {
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
    let observed = view.observed;
    match &observed.hand {
        Hand::Value { attempt, sent: true, base, .. }
            if observed.base() == *base && observed.fence() < *attempt && !observed.any_foreign() =>
        {
            let fence = *attempt;
            let step = if observed.any_absent() { Step::Shell { fence } } else { Step::RaiseFence { fence } };
            view.paused(observed.pauses.secret).unwrap_or(step)
        }
        Hand::Empty | Hand::Claim { .. } | Hand::Value { .. } => Step::GiveUp(lapse),
    }
}

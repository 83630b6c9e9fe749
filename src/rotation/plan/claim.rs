//! The next claim: it takes an attempt number (P1, P2, P15).

use crate::rotation::observed::Observed;
use crate::rotation::plan::room::forbidden;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::wait;
use crate::rotation::schedule::{Trigger, is_only_drift, trigger};

pub(super) fn claim(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { object, ledger, secrets, facts, .. } = observed;
    let trigger = trigger(view.desired, observed, view.now.time())?;
    if let Some(halt) = forbidden(view) {
        return Some(Step::Halt(halt));
    }
    let pauses = &facts.pauses;
    // Somebody else keeps changing the Secret: a token for each change would be a war.
    if view.paused(pauses.drift) && is_only_drift(view.desired, observed, view.now.time()) {
        return Some(wait(view));
    }
    // A service that refuses one token after the other must not be asked for new ones without end.
    let next = ledger.refusals.as_ref().map(|refusals| refusals.next_replacement_time);
    if trigger == Trigger::Rejected && view.waits_to_replace(next) && !view.is_urgent() {
        return Some(wait(view));
    }
    // After a leak at the service, older tokens have their turn first.
    if view.backing_off().is_some() || view.waits_for_its_turn() || view.paused(pauses.generate.max(pauses.secret)) {
        return Some(wait(view));
    }
    // Where there was a claim before, the row *finalizer* has put it back.
    let never_claimed = !object.finalizer;
    if secrets.any_absent() && !never_claimed {
        return Some(view.after_read(Step::CreatePlaceholder { fence: observed.highest_attempt() }));
    }
    if !facts.preflight || !secrets.live() {
        return Some(Step::Preflight);
    }
    if never_claimed {
        return Some(Step::Finalize { claims: true });
    }
    // There is a number left, or this row would have halted.
    Some(Step::Claim { attempt: observed.highest_attempt().saturating_add(1) })
}

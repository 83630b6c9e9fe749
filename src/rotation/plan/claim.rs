//! The next claim: it takes an attempt number (P1, P2, P15).

use crate::rotation::observed::Observed;
use crate::rotation::plan::room::forbidden;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::wait;
use crate::rotation::schedule::{Trigger, trigger};

pub(super) fn claim(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { object, ledger, secrets, facts, .. } = observed;
    let trigger = trigger(view.desired, observed, view.now)?;
    if let Some(halt) = forbidden(view) {
        return Some(Step::Halt(halt));
    }
    let pauses = &facts.pauses;
    // After a leak at the service, older tokens have their turn first.
    if view.backing_off().is_some() || view.paused(pauses.leak) || view.paused(pauses.generate.max(pauses.secret)) {
        return Some(wait(view));
    }
    // A service that refuses one token after the other must not be asked for new ones without end.
    let next = ledger.refusals.as_ref().map(|refusals| refusals.next_replacement_time);
    if trigger == Trigger::Rejected && view.paused(next) && !view.is_urgent() {
        return Some(wait(view));
    }
    let never_claimed = !object.finalizer && ledger.claim.is_none() && secrets.ours().next().is_none();
    if !object.finalizer && !never_claimed {
        return Some(Step::Finalize { claims: false });
    }
    if secrets.any_absent() && !never_claimed {
        return Some(view.after_read(Step::CreatePlaceholder { fence: observed.highest_attempt() }));
    }
    if !facts.preflight || !secrets.live() {
        return Some(Step::Preflight);
    }
    if never_claimed {
        return Some(Step::Finalize { claims: true });
    }
    // A forged number at the end of the range must not cause a panic. The claim is then below the fence, and fails.
    Some(Step::Claim { attempt: observed.highest_attempt().saturating_add(1) })
}

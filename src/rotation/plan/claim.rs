//! The next claim: it takes an attempt number (P1, P2, P15).

use crate::rotation::desired::Halt;
use crate::rotation::hand_over::why_due;
use crate::rotation::observed::{Companion, Observed};
use crate::rotation::plan::put_back::is_lost;
use crate::rotation::plan::room::forbidden;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::wait;
use crate::rotation::schedule::{Trigger, is_only_drift, trigger};

pub(super) fn claim(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { object, secrets, by_hand, service, facts, .. } = observed;
    let trigger = trigger(view.desired, observed, view.now.time());
    if !view.is_wanted() {
        return None;
    }
    if let Some(halt) = forbidden(view) {
        return Some(Step::Halt(halt));
    }
    let by_hand = service.is_by_hand().then_some(by_hand);
    if let Some(by_hand) = by_hand {
        if let Companion::Foreign(halt) = &by_hand.companion {
            return Some(Step::Halt(halt.clone()));
        }
        if !by_hand.offers() {
            return Some(owed_by_a_person(view, trigger));
        }
    } else if waits(view, trigger) {
        return Some(wait(view));
    }
    // After a leak at the service, older tokens have their turn first.
    let paused = view.paused(facts.pauses.generate.max(facts.pauses.secret));
    if view.backing_off().is_some() || view.waits_for_its_turn() || paused {
        return Some(wait(view));
    }
    if by_hand.is_some() && !object.finalizer {
        return Some(Step::Finalize { claims: false });
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

/// Whether a token that the service would generate must wait.
fn waits(view: &View, trigger: Option<Trigger>) -> bool {
    let Observed { ledger, facts, .. } = view.observed;
    // Somebody else keeps changing the Secret: a token for each change would be a war.
    let war = view.paused(facts.pauses.drift) && is_only_drift(view.desired, view.observed, view.now.time());
    // A service that refuses one token after the other must not be asked for new ones without end.
    let next = ledger.refusals.as_ref().map(|refusals| refusals.next_replacement_time);
    war || (trigger == Some(Trigger::Rejected) && view.waits_to_replace(next) && !view.is_urgent())
}

/// A person must make the token, and hands over none. Without a token that works, nothing goes on until then.
fn owed_by_a_person(view: &View, trigger: Option<Trigger>) -> Step {
    let observed = view.observed;
    let works = observed.works(view.now.time());
    match trigger.filter(|_| !works && !is_lost(view)) {
        Some(trigger) => {
            let (reason, why) = why_due(trigger, observed, view.now.time());
            Step::Halt(Halt::stalled(reason, format!("{why}: {}", view.desired.by_hand.make)))
        }
        None => wait(view),
    }
}

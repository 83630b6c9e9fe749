//! When to look again: the earliest time at which a row may match that does not match now.

use crate::api::time::Time;
use crate::rotation::observed::{InFlight, Observed};
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::schedule::{next_look, next_reminder, next_rotation, verification_due};

/// Waits for the earliest time of all rows. Other rows also return this when no row below them may act.
pub(super) fn wait(view: &View) -> Step {
    Step::Wait(next_wake(view))
}

/// The step once this pause is over; a wait until then.
pub(super) fn after_pause(view: &View, until: Option<Time>, step: Step) -> Step {
    if view.paused(until) { wait(view) } else { step }
}

/// The earliest time of all rows.
pub(super) fn next_wake(view: &View) -> Option<Time> {
    let waits = waits(view).into_iter().flatten().map(|wait| view.now.look_for(wait));
    dues(view).into_iter().flatten().chain(waits).filter(|wake| !view.now.reached(*wake)).min()
}

/// The ends of waits that keep a token alive, or a claim open.
fn waits(view: &View) -> Vec<Option<Time>> {
    let timings = &view.desired.timings;
    let open = view.observed.open_claim();
    let mut waits = vec![
        open.as_ref().map(|claim| timings.settle_time(claim)),
        open.as_ref().map(|claim| claim.time.plus(timings.publish_deadline)),
        view.first_secret_lands_until(),
    ];
    if let InFlight::Value { issued, .. } = view.observed.in_flight {
        waits.push(Some(issued.plus(timings.token_settle)));
    }
    let current = view.observed.ledger.current.as_ref();
    let refused = current.and_then(|current| current.refused_time);
    waits.push(refused.and(view.observed.service.others.forgiven).map(|ended| ended.plus(timings.refusal_settle)));
    waits.push(refused.map(|refused| refused.plus(timings.refusal_settle)));
    waits.extend(view.observed.ledger.superseded.iter().map(|old| Some(old.revoke_after_time)));
    waits
}

/// What is due.
fn dues(view: &View) -> Vec<Option<Time>> {
    let Observed { ledger, service, facts, in_flight, .. } = view.observed;
    let pauses = &facts.pauses;
    let mut dues = vec![
        pauses.generate,
        pauses.verify,
        pauses.sweep,
        pauses.revoke,
        pauses.secret,
        pauses.offer,
        pauses.drift,
        pauses.leak,
        facts.ask_again,
        next_look(&ledger.lost, service.swept, &view.desired.timings),
        view.backing_off(),
        ledger.refusals.as_ref().map(|refusals| refusals.next_replacement_time),
    ];
    if let InFlight::Claim { deadline, .. } | InFlight::Value { deadline, .. } = in_flight {
        dues.push(Some(*deadline));
    }
    dues.extend(ledger.superseded.iter().map(|old| old.next_try_time));
    dues.extend(view.observed.by_hand.asked.values().copied().map(Some));
    if let Some(current) = &ledger.current {
        dues.push(next_reminder(current).filter(|_| service.is_by_hand()));
        dues.push(next_rotation(view.desired, current));
        dues.push(verification_due(view.desired, current, facts));
        dues.push(current.expiration_time);
    }
    dues
}

//! When to look again: the earliest time at which a row may match that does not match now.

use crate::api::time::Time;
use crate::rotation::observed::{InFlight, Observed};
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::schedule::{next_look, next_rotation, verification_due};

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
    wakes(view).into_iter().flatten().filter(|wake| *wake > view.now).min()
}

fn wakes(view: &View) -> Vec<Option<Time>> {
    let Observed { ledger, service, facts, .. } = view.observed;
    let (timings, pauses) = (&view.desired.timings, &facts.pauses);
    let open = view.observed.open_claim();
    let mut wakes = vec![
        open.as_ref().map(|claim| timings.settle_time(claim)),
        open.as_ref().map(|claim| claim.time.plus(timings.publish_deadline)),
        pauses.generate,
        pauses.verify,
        pauses.sweep,
        pauses.secret,
        pauses.leak,
        next_look(&ledger.lost, service.swept, timings),
        view.backing_off(),
        ledger.refusals.as_ref().map(|refusals| refusals.next_replacement_time),
    ];
    wakes.extend(in_flight_wakes(view));
    for old in &ledger.superseded {
        wakes.push(Some(old.revoke_after_time));
        wakes.push(old.next_try_time);
    }
    if let Some(current) = &ledger.current {
        wakes.push(next_rotation(view.desired, current));
        wakes.push(verification_due(view.desired, current, facts));
        wakes.push(current.refused_time.map(|refused| refused.plus(timings.refusal_settle)));
        wakes.push(current.expiration_time);
    }
    wakes
}

fn in_flight_wakes(view: &View) -> [Option<Time>; 2] {
    match view.observed.in_flight {
        InFlight::Nothing => [None, None],
        InFlight::Claim { deadline, .. } => [Some(deadline), None],
        InFlight::Value { deadline, issued, .. } => {
            [Some(deadline), Some(issued.plus(view.desired.timings.token_settle))]
        }
    }
}

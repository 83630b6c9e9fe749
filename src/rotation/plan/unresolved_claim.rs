//! Claims of unknown outcome that this process does not have in hand (P5, P12).

use crate::api::ledger::Claim;
use crate::rotation::observed::Observed;
use crate::rotation::plan::fence::fence_off;
use crate::rotation::plan::halt::halt;
use crate::rotation::plan::room::stranded;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::{after_pause, wait};
use crate::rotation::schedule::next_look;

pub(super) fn unresolved_claim(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { ledger, service, facts, .. } = observed;
    if let Some(claim) = observed.stray_claim() {
        return Some(resolve(view, &claim));
    }
    if let Some(row) = view.unknown_rows().max_by_key(|row| row.attempt) {
        return fence_off(view, row.attempt);
    }
    let look = next_look(&ledger.lost, service.swept, &view.desired.timings);
    let due = service.suspected || look.is_some_and(|look| look <= view.now);
    if due && service.listing.is_none() && service.attributable() {
        return Some(after_pause(view, facts.pauses.sweep, Step::Sweep));
    }
    None
}

/// Until it is settled its own process may still publish; then it is fenced off, looked for and abandoned.
fn resolve(view: &View, claim: &Claim) -> Step {
    let Observed { service, facts, .. } = view.observed;
    if view.desired.timings.settle_time(claim) > view.now {
        return wait(view);
    }
    if let Some(step) = fence_off(view, claim.attempt) {
        return step;
    }
    // Whether its token lives, only the service says that was asked for it.
    if let Some(halt) = stranded(view) {
        return Step::Halt(halt);
    }
    if service.seen.is_none() {
        return halt(view).unwrap_or_else(|| wait(view));
    }
    // Where tokens have names, no claim is forgotten that was never looked for. And one that stands in no ledger may be that of a
    // lost one: what that knew is taken in while no newer claim makes it doubtful.
    if service.listing.is_none() && service.attributable() {
        return after_pause(view, facts.pauses.sweep, Step::Sweep);
    }
    Step::Abandon
}

//! The way back of a token that a person handed over, after somebody took it out of the Secret. Nobody but a person can make another one.

use crate::rotation::observed::Observed;
use crate::rotation::plan::companion::kept_first;
use crate::rotation::plan::roll_back::leaves_time;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;

pub(super) fn put_back(view: &View) -> Option<Step> {
    let Observed { secrets, facts, .. } = view.observed;
    if !is_lost(view) || view.paused(facts.pauses.secret.max(facts.pauses.drift)) {
        return None;
    }
    let fence = view.observed.highest_attempt();
    let step = if secrets.any_absent() { Step::CreatePlaceholder { fence } } else { Step::RollBack { fence } };
    Some(view.after_read(kept_first(view, step)))
}

/// Whether the Secret lost a token that this row puts back.
pub(super) fn is_lost(view: &View) -> bool {
    let observed = view.observed;
    let Observed { ledger, secrets, service, facts, .. } = observed;
    let Some(current) = ledger.current.as_ref().filter(|current| current.hand_over.is_some()) else { return false };
    let alive = current.rejected_time.is_none() && current.expiration_time.is_none_or(|end| !view.now.reached(end));
    let lost = alive
        && !ledger.leak_covers(current.claimed_time)
        && facts.holds_previous
        && service.is_by_hand()
        && !observed.holds_current();
    // A Secret of somebody else is told about, and a token that is handed over now replaces the lost one.
    let free = secrets.unwritable().is_none() && secrets.former_id().is_none() && !observed.by_hand.offers();
    // A Secret that is ahead of the ledger has a later token: the ledger is an old one.
    let known = secrets.fence() <= ledger.highest_attempt();
    lost && free
        && known
        && leaves_time(view, current)
        && observed.open_claim().is_none()
        && view.desired.halt.is_none()
}

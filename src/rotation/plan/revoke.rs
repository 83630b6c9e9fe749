//! Superseded tokens that nobody needs any more (P8).

use crate::api::ledger::Superseded;
use crate::rotation::observed::Observed;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::after_pause;
use crate::rotation::unneeded::is_unneeded;

pub(super) fn revoke(view: &View) -> Option<Step> {
    let Observed { ledger, service, facts, .. } = view.observed;
    if !service.same_place() || view.paused(facts.pauses.revoke) {
        return None;
    }
    let old = ledger.superseded.iter().find(|old| due(view, old) && unneeded(view, old))?;
    let step = view.in_turn(&old.id, view.after_read(view.ending(old.attempt, &old.id)));
    Some(after_pause(view, facts.pauses.secret, step))
}

fn due(view: &View, old: &Superseded) -> bool {
    view.now.is_over(old.revoke_after_time) && !view.was_just_tried(old) && !view.was_just_asked(&old.id)
}

/// About a token that only a person can revoke, the operator only asks, once no Secret holds it.
fn unneeded(view: &View, old: &Superseded) -> bool {
    let Observed { ledger, secrets, .. } = view.observed;
    let asked = old.handed_over && !secrets.hold(&old.id);
    asked || is_unneeded(ledger, secrets, old, |time| view.now.is_over(time))
}

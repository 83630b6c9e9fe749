//! Superseded tokens that nobody needs any more (P8).

use crate::api::ledger::Superseded;
use crate::rotation::observed::Observed;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::after_pause;
use crate::rotation::unneeded::is_unneeded;

pub(super) fn revoke(view: &View) -> Option<Step> {
    let Observed { ledger, secrets, service, facts, .. } = view.observed;
    if !service.same_place() || view.paused(facts.pauses.revoke) {
        return None;
    }
    let unneeded = |old: &Superseded| is_unneeded(ledger, secrets, old, |time| view.now.is_over(time));
    let old = ledger.superseded.iter().find(|old| due(view, old) && unneeded(old))?;
    let step = view.in_turn(&old.id, view.after_read(view.ending(old.attempt, &old.id)));
    Some(after_pause(view, facts.pauses.secret, step))
}

fn due(view: &View, old: &Superseded) -> bool {
    view.now.is_over(old.revoke_after_time) && !view.was_just_tried(old) && !view.was_just_asked(&old.id)
}

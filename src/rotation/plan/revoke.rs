//! Superseded tokens that nobody needs any more (P8).

use crate::api::ledger::Superseded;
use crate::rotation::observed::{Content, Observed};
use crate::rotation::plan::room::has_room;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::after_pause;

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

/// Whether no Secret holds this token, and every Secret holds another one that is verified. A token that was never published needs no
/// successor. Nor does one need it where there is no room for a successor: it would wait for ever. And about one that only a person can
/// revoke, the operator only asks.
fn unneeded(view: &View, old: &Superseded) -> bool {
    let observed = view.observed;
    let held = observed.secrets.ours().any(|ours| ours.content != Content::Empty && ours.id.as_ref() == Some(&old.id));
    !held
        && (old.unpublished
            || old.handed_over
            || observed.holds_current()
            || (!has_room(view) && !held_long(view, old)))
}

/// A held token may have stayed in the Secret past its own overlap, until its replacement was published. Its consumers have moved on
/// once the overlap of a later token is over.
fn held_long(view: &View, old: &Superseded) -> bool {
    let ledger = &view.observed.ledger;
    let verified = ledger.current.as_ref().map_or(0, |current| current.attempt);
    let later =
        |other: &Superseded| other.held && other.attempt > old.attempt && view.now.is_over(other.revoke_after_time);
    old.held && old.attempt > verified && !ledger.superseded.iter().any(later)
}

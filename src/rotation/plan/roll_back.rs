//! The way back to the previous token after one that failed (P10).

use crate::api::ledger::{Current, Outcome, Superseded};
use crate::rotation::observed::{Content, Observed};
use crate::rotation::plan::companion::kept_first;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::after_pause;

pub(super) fn roll_back(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { ledger, secrets, facts, .. } = observed;
    let claim = ledger.claim.as_ref().filter(|claim| claim.outcome == Some(Outcome::Failed))?;
    let current = ledger.current.as_ref()?;
    let alive = current.rejected_time.is_none() && current.expiration_time.is_none_or(|end| !view.now.reached(end));
    let holds_failed = secrets.all_ours(|ours| ours.attempt == claim.attempt && ours.content != Content::Empty);
    if !(alive && holds_failed && facts.holds_previous) || observed.holds_current() {
        return None;
    }
    if !leaves_time(view, current) {
        return None;
    }
    let step = view.after_read(kept_first(view, Step::RollBack { fence: claim.attempt }));
    Some(after_pause(view, facts.pauses.secret, step))
}

/// Consumers hold a failed token until the current one reaches them again. If less than an overlap is left for that, it goes forward
/// instead.
pub(super) fn leaves_time(view: &View, current: &Current) -> bool {
    let time_left = |failed: &Superseded| failed.revoke_after_time >= view.now.stamp().plus(view.desired.overlap);
    let published = |old: &&Superseded| old.attempt > current.attempt && !old.unpublished;
    view.observed.ledger.superseded.iter().filter(published).all(time_left)
}

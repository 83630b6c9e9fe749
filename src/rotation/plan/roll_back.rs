//! The way back to the previous token after one that failed (P10).

use crate::api::ledger::{Outcome, Superseded};
use crate::rotation::observed::{Content, Observed};
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
    // Consumers hold the failed token until the roll-back reaches them. If less than an overlap is left for that, go forward instead.
    let time_left = |failed: &Superseded| failed.revoke_after_time >= view.now.stamp().plus(view.desired.overlap);
    let published = |old: &&Superseded| old.attempt > current.attempt && !old.unpublished;
    if !ledger.superseded.iter().filter(published).all(time_left) {
        return None;
    }
    let step = view.after_read(Step::RollBack { fence: claim.attempt });
    Some(after_pause(view, facts.pauses.secret, step))
}

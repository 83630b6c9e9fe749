//! The way back to the token before, after one that failed (P10).

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
    let alive = current.rejected_time.is_none() && current.expiration_time.is_none_or(|end| end > view.now);
    let holds_failed = secrets
        .all_ours(|ours| ours.attempt == claim.attempt && ours.predecessor.is_none() && ours.content != Content::Empty);
    if !(alive && holds_failed && facts.holds_previous) || observed.holds_current() {
        return None;
    }
    // Consumers hold what failed until the roll-back reaches them: with less than an overlap left for that, forward.
    let time_left = |failed: &Superseded| failed.revoke_after_time >= view.now.plus(view.desired.overlap);
    let published = |old: &&Superseded| old.attempt > current.attempt && !old.unpublished;
    if !ledger.superseded.iter().filter(published).all(time_left) {
        return None;
    }
    let step = view.after_read(Step::RollBack { fence: claim.attempt });
    Some(after_pause(view, facts.pauses.secret, step))
}

//! The fence: a number in the Secret at or below which no publish can land any more (P5).

use crate::rotation::observed::Observed;
use crate::rotation::plan::halt::halt;
use crate::rotation::plan::replaced::replaced_token;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::after_pause;

/// The step that makes sure that no publish of `attempt` can land any more; `None` if none can.
pub(super) fn fence_off(view: &View, attempt: u32) -> Option<Step> {
    let observed = view.observed;
    let Observed { secrets, facts, .. } = observed;
    if secrets.live() && secrets.fence() >= attempt {
        return None;
    }
    if secrets.any_foreign() {
        return halt(view);
    }
    // A predecessor's Secret becomes ours by this write: its token goes into the ledger before (P22).
    if let Some(step) = replaced_token(view).filter(|_| secrets.ours().any(|ours| ours.predecessor.is_some())) {
        return Some(step);
    }
    let step = view.after_read(raise(view, observed.highest_attempt()));
    Some(after_pause(view, facts.pauses.secret, step))
}

/// The write that puts this fence into the Secret.
pub(super) fn raise(view: &View, fence: u32) -> Step {
    if view.observed.secrets.any_absent() { Step::Shell { fence } } else { Step::RaiseFence { fence } }
}

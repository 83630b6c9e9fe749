//! The fence: a number in the Secret. No publish of an attempt at or below it can land any more (P5).

use crate::rotation::observed::Observed;
use crate::rotation::plan::halt::halt;
use crate::rotation::plan::replaced::unrecorded;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::after_pause;

/// The step that keeps publishes of `attempt` from landing; `None` if none can land any more.
pub(super) fn fence_off(view: &View, attempt: u32) -> Option<Step> {
    let observed = view.observed;
    let Observed { secrets, facts, .. } = observed;
    if secrets.live() && secrets.fence() >= attempt {
        return None;
    }
    if secrets.unwritable().is_some() {
        return halt(view);
    }
    let step = view.after_read(raise(view, observed.highest_attempt()));
    Some(after_pause(view, facts.pauses.secret, step))
}

/// The write that puts this fence into the Secret. It makes the Secret of a former object this one's, so the token in it is recorded
/// before (P22).
pub(super) fn raise(view: &View, fence: u32) -> Step {
    let write =
        if view.observed.secrets.any_absent() { Step::CreatePlaceholder { fence } } else { Step::RaiseFence { fence } };
    unrecorded(view).map_or(write, |id| Step::RecordReplaced(id.clone()))
}

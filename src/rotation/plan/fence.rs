//! The fence: a number in the Secret. No publish of an attempt at or below it can land any more (P5).

use crate::rotation::observed::Observed;
use crate::rotation::plan::halt::halt;
use crate::rotation::plan::replaced::once_recorded;
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

/// The write that puts this fence into the Secret.
pub(super) fn raise(view: &View, fence: u32) -> Step {
    if view.observed.secrets.any_absent() {
        return Step::CreatePlaceholder { fence };
    }
    once_recorded(view, Step::RaiseFence { fence })
}

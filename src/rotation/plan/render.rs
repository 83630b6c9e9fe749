//! The same token, written as the spec wants it now: after an edit by hand, or a change of the spec.

use crate::rotation::observed::Observed;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;

pub(super) fn render(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { secrets, facts, .. } = observed;
    let drifted = secrets.all_ours(|ours| ours.predecessor.is_none()) && secrets.ours().any(|ours| !ours.rendered);
    // While its write is refused, what is below goes on: the token still works.
    let paused = view.paused(facts.pauses.secret);
    if !drifted || paused || !observed.holds_current() || view.desired.halt.is_some() {
        return None;
    }
    Some(view.after_read(Step::Render))
}

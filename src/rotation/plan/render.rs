//! The same token, written in the form that the spec now asks for: after an edit by hand, or a change of the spec.

use crate::rotation::observed::Observed;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;

pub(super) fn render(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { secrets, facts, .. } = observed;
    let drifted = secrets.all_ours(|_| true) && secrets.ours().any(|ours| !ours.rendered);
    // While the API server refuses this write, the rows below continue: the token still works.
    // The same holds while somebody else keeps changing the Secret.
    let paused = view.paused(facts.pauses.secret.max(facts.pauses.drift));
    if !drifted || paused || !observed.holds_current() || view.desired.halt.is_some() {
        return None;
    }
    Some(view.after_read(Step::Render))
}

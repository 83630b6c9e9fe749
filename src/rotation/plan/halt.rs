//! No new token may be made until a person or another object changes something.

use crate::rotation::observed::Observed;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::schedule::trigger;

/// An invalid spec and a Secret that cannot be written are reported at once. Whatever only forbids a new token (a service that is down,
/// a namespace that is ending) is reported when a token is wanted.
pub(super) fn halt(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { secrets, facts, .. } = observed;
    let wanted = !view.is_suspended() && trigger(view.desired, observed, view.now.time()).is_some();
    let forbids = facts.halt.as_ref().filter(|_| wanted);
    let refused = view.refused_by_service().filter(|_| wanted);
    let halts = [view.desired.halt.as_ref(), secrets.unwritable(), forbids, refused.as_ref()];
    halts.into_iter().flatten().next().cloned().map(Step::Halt)
}

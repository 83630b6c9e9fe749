//! No new token may be made until a person or another object changes something.

use crate::rotation::observed::Observed;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;

/// An invalid spec and a Secret that cannot be written are reported at once. Whatever only forbids a new token (a service that is down,
/// a namespace that is ending) is reported when a token is wanted.
pub(super) fn halt(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { secrets, facts, .. } = observed;
    let wanted = !view.is_suspended() && view.is_wanted();
    let forbids = facts.halt.as_ref().filter(|_| wanted);
    let refused = view.refused_by_service().filter(|_| wanted);
    let others = [view.desired.halt.as_ref(), secrets.unwritable(), forbids].into_iter().flatten().next();
    if refused.is_some() && others.is_none() && may_work(view) {
        return Some(view.after_read(Step::Verify));
    }
    others.or(refused.as_ref()).cloned().map(Step::Halt)
}

/// Whether the current token may be one of those that the service still accepts: it was not asked about yet.
fn may_work(view: &View) -> bool {
    let Observed { ledger, service, facts, .. } = view.observed;
    let current =
        ledger.current.as_ref().filter(|current| current.refused_time.is_none() && current.rejected_time.is_none());
    let askable = view.desired.probe && service.same_place() && view.observed.holds_current();
    current.is_some() && askable && facts.verdict.is_none() && !view.paused(facts.pauses.verify)
}

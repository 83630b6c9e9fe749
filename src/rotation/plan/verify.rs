//! Whether the service still accepts the token in the Secret.

use crate::rotation::observed::{Observed, Verdict};
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::schedule::verification_due;

pub(super) fn verify(view: &View) -> Option<Step> {
    let observed = view.observed;
    let Observed { ledger, service, facts, .. } = observed;
    let current = ledger.current.as_ref().filter(|current| current.rejected_time.is_none())?;
    if !observed.holds_current() || !service.same_place() {
        return None;
    }
    if facts.verdict == Some(Verdict::Refused) {
        return service.trusted().then_some(Step::Reject);
    }
    if facts.verdict == Some(Verdict::Accepted) && view.desired.probe && !current.probed {
        return Some(Step::RecordProbed);
    }
    let due = verification_due(view.desired, current, facts.accepted)?;
    if (!view.now.reached(due) && !facts.doubtful) || facts.verdict.is_some() || view.paused(facts.pauses.verify) {
        return None;
    }
    Some(view.after_read(Step::Verify))
}

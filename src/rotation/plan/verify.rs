//! Whether the service still accepts what the Secret holds.

use crate::rotation::observed::Verdict;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::schedule::verification_due;

pub(super) fn verify(view: &View) -> Option<Step> {
    let observed = view.observed;
    let current = observed.ledger.current.as_ref().filter(|current| current.rejected_time.is_none())?;
    if !observed.holds_current() || !view.same_place() {
        return None;
    }
    if observed.verdict == Some(Verdict::Refused) {
        return view.trusted().then_some(Step::Reject);
    }
    let due = verification_due(view.desired, current, observed.accepted)?;
    if (due > view.now && !observed.doubtful) || observed.verdict.is_some() || view.paused(observed.pauses.verify) {
        return None;
    }
    Some(view.after_read(Step::Verify))
}

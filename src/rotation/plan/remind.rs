//! Reminders that a token expires which only a person can replace.

use crate::rotation::observed::Observed;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::schedule::reminder;

pub(super) fn remind(view: &View) -> Option<Step> {
    let Observed { ledger, service, .. } = view.observed;
    let current = ledger.current.as_ref().filter(|_| service.is_by_hand())?;
    reminder(current, view.now.time()).map(Step::Remind)
}

//! The token in the Secret of a deleted object of the same name (P22). It is recorded before the Secret is written over, so that the sweep
//! of the service spares it while consumers may hold it.

use crate::api::ids::TokenId;
use crate::rotation::observed::Observed;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::after_pause;

pub(super) fn replaced(view: &View) -> Option<Step> {
    let step = Step::RecordReplaced(unrecorded(view)?.clone());
    Some(after_pause(view, view.observed.facts.pauses.secret, view.after_read(step)))
}

/// This write of the Secret, which makes that of a former object this one's; before it, the record of the token in there.
pub(super) fn once_recorded(view: &View, write: Step) -> Step {
    unrecorded(view).map_or(write, |id| Step::RecordReplaced(id.clone()))
}

/// The token that a former object left in the Secret, as long as the ledger does not have it.
fn unrecorded<'a>(view: &View<'a>) -> Option<&'a TokenId> {
    let Observed { ledger, secrets, .. } = view.observed;
    secrets.former_id().filter(|id| ledger.replaced.as_ref().is_none_or(|replaced| replaced.id != **id))
}

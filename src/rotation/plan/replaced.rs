//! The token in the Secret of a deleted object of the same name (P22). It is recorded before the Secret is written over, so that the sweep
//! of the service spares it while consumers may hold it.

use crate::rotation::observed::Observed;
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::after_pause;

pub(super) fn replaced(view: &View) -> Option<Step> {
    let Observed { ledger, secrets, facts, .. } = view.observed;
    let id = secrets.former_id()?;
    let recorded = ledger.replaced.as_ref().is_some_and(|replaced| replaced.id == *id);
    (!recorded).then(|| after_pause(view, facts.pauses.secret, view.after_read(Step::RecordReplaced(id.clone()))))
}

//! A token of ours in the Secret that the ledger does not know.

use crate::api::ids::TokenId;
use crate::rotation::ledger::MAX_ORPHANS;
use crate::rotation::observed::{Observed, Row};
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;
use crate::rotation::plan::wait::after_pause;

/// After the ledger was lost, the Secret may hold a token of ours that it does not know (P16). Such a token enters the ledger before the
/// Secret is overwritten, because nothing would lead to it afterwards.
pub(super) fn unknown_token(view: &View) -> Option<Step> {
    let Observed { ledger, secrets, service, facts, .. } = view.observed;
    let known = |attempt, id: &TokenId| ledger.has_token(attempt, id) || ledger.ended(attempt, id);
    let held = secrets.ours().find(|ours| ours.id.as_ref().is_some_and(|id| !known(ours.attempt, id)))?;
    if !service.attributable() {
        return None;
    }
    let Some(rows) = &service.listing else {
        return Some(after_pause(view, facts.pauses.sweep, Step::Sweep));
    };
    let same = |row: &&Row| Some(&row.id) == held.id.as_ref() && row.attempt == held.attempt;
    let room = MAX_ORPHANS.saturating_sub(ledger.superseded.len());
    let tokens: Vec<Row> = rows.iter().filter(same).take(room).cloned().collect();
    (!tokens.is_empty()).then(|| after_pause(view, facts.pauses.secret, view.after_read(Step::Supersede(tokens))))
}

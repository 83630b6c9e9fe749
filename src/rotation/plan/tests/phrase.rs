//! A step in one short phrase.

use crate::api::ledger::Outcome;
use crate::rotation::plan::{GiveUpReason, Step};

pub(super) fn phrase(step: &Step) -> String {
    match step {
        Step::Claim { attempt } => format!("Claim {attempt}"),
        Step::TakeTurn(id) => format!("TakeTurn {id}"),
        Step::Revoke { id, .. } => format!("Revoke {id}"),
        Step::Finalize { claims: true } => "Finalize and claim 1".to_owned(),
        Step::CreatePlaceholder { fence } => format!("CreatePlaceholder {fence}"),
        Step::RaiseFence { fence } => format!("RaiseFence {fence}"),
        Step::RollBack { fence } => format!("RollBack {fence}"),
        Step::Decide(Outcome::Verified) => "Verified".to_owned(),
        Step::Decide(Outcome::Failed) => "Failed".to_owned(),
        Step::GiveUp(GiveUpReason::Deleting) => "GiveUp".to_owned(),
        Step::RecordConflict(row) => format!("RecordConflict {}", row.id),
        Step::RecordReplaced(id) => format!("RecordReplaced {id}"),
        Step::RecordLeak { .. } => "RecordLeak".to_owned(),
        Step::Supersede(rows) => format!("Supersede {}", rows[0].id),
        other => format!("{other:?}"),
    }
}

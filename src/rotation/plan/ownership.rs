//! Whether the listed tokens of this identity belong to this object or to another cluster (P21).

use crate::api::ids::TokenId;
use crate::api::reason::Reason;
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Observed, Ours, Row};
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;

/// The step for an identity conflict that no person has resolved: record it first, then halt everything.
pub(super) fn unresolved_conflict(view: &View) -> Option<Step> {
    let Observed { ledger, secrets, service, .. } = view.observed;
    if confirmed(view) {
        return None;
    }
    if let Some(conflict) = &ledger.conflict {
        return Some(Step::Halt(halt(conflict.attempt, &conflict.id)));
    }
    // The Secret, read after the list, says how far the ledger may be behind.
    if !secrets.live() {
        return None;
    }
    service.own_rows().find(|row| never_claimed(view, row)).cloned().map(Step::RecordConflict)
}

/// Whether a person confirmed the identity after the conflict was recorded.
fn confirmed(view: &View) -> bool {
    let Observed { object, ledger, .. } = view.observed;
    let asked = object.requests.confirm.is_some();
    ledger.conflict.is_some() && asked && object.requests.confirm != ledger.handled_requests.confirm
}

/// The ledger keeps each claim with its nonce until its outcome is known. So any other token of this identity was claimed elsewhere.
/// But if the ledger was lost, or is behind its own Secret, then neither the token in the Secret is a conflict nor any attempt up to
/// the fence that the ledger has not reached.
fn never_claimed(view: &View, row: &Row) -> bool {
    let observed = view.observed;
    let Observed { ledger, secrets, .. } = observed;
    // Attempt 1 is the finalizer's claim, which may be in no ledger.
    let implied = row.attempt == 1 && row.nonce.is_first();
    if implied
        || observed.is_in_flight(row)
        || ledger.has_token(row.attempt, &row.id)
        || ledger.ended(row.attempt, &row.id)
    {
        return false;
    }
    let held = |ours: &Ours| (ours.id.as_ref(), ours.attempt) == (Some(&row.id), row.attempt);
    let claimed = ledger.has_claimed(row.key());
    // A ledger without a claim was lost. It has collected its tokens since, so its numbers do not show what was claimed before.
    let known_to = ledger.claim.as_ref().map_or(0, |_| ledger.highest_attempt());
    let behind = row.attempt > known_to && row.attempt <= secrets.fence();
    !claimed && !behind && !secrets.ours().any(held)
}

fn halt(attempt: u32, id: &TokenId) -> Halt {
    Halt::stalled(
        Reason::IdentityConflict,
        format!(
            "the service lists the token {id} as attempt {attempt} of this object, but this object never claimed it: another cluster (a \
             clone, or one restored from the same backup) works with copies of this object, or this object's status was lost. Nothing \
             is generated or revoked until a person settles this. If there is another cluster, give one of the two a service object \
             with another naming.prefix, and new ArtifactTokens. If there is no other cluster, or none any more, set the annotation \
             artifact-token.dev/confirm-identity to a new value here: then the token is revoked after the overlap"
        ),
    )
}

//! Whose the listed tokens of this identity are: this object's own, or another cluster's (P21).

use crate::api::reason::Reason;
use crate::rotation::desired::Halt;
use crate::rotation::identity::FIRST_NONCE;
use crate::rotation::observed::{Observed, Ours, Row};
use crate::rotation::plan::step::Step;
use crate::rotation::plan::view::View;

/// Whose tokens these are is in doubt: it is written down, and halts everything.
pub(super) fn doubt(view: &View) -> Option<Step> {
    let Observed { ledger, secrets, service, .. } = view.observed;
    if confirmed(view) {
        return None;
    }
    if let Some(conflict) = &ledger.conflict {
        return Some(Step::Halt(halt(conflict.attempt, &conflict.id)));
    }
    // The Secret is read after the list, and says how far a ledger may be behind.
    if !secrets.live() {
        return None;
    }
    service.own_rows().find(|row| never_claimed(view, row)).cloned().map(Step::Dispute)
}

/// A person said so after the conflict was written down.
fn confirmed(view: &View) -> bool {
    let Observed { object, ledger, .. } = view.observed;
    let asked = object.requests.confirm.is_some();
    ledger.conflict.is_some() && asked && object.requests.confirm != ledger.handled_requests.confirm
}

/// Claims stand in the ledger with their nonces until what became of them is known: whatever else has this identity is taken to be
/// claimed elsewhere. But a ledger that was lost, or is behind its own Secret, disputes neither what the Secret holds nor the attempts
/// up to there that it has not come to.
fn never_claimed(view: &View, row: &Row) -> bool {
    let observed = view.observed;
    let Observed { ledger, secrets, .. } = observed;
    // Attempt 1 is the finalizer's, which may stand in no ledger.
    let implied = row.attempt == 1 && row.nonce == FIRST_NONCE;
    if implied || observed.in_hand(row) || ledger.knows(&row.id) || ledger.ended(&row.id) {
        return false;
    }
    let held =
        |ours: &Ours| (ours.id.as_ref(), ours.attempt) == (Some(&row.id), row.attempt) && ours.predecessor.is_none();
    let claimed = ledger.nonces_of(row.attempt).any(|nonce| nonce == row.nonce);
    // A ledger without a claim was lost: what it has, it took in since, and its numbers say nothing of what it claimed.
    let known_to = ledger.claim.as_ref().map_or(0, |_| ledger.highest_attempt());
    let behind = row.attempt > known_to && row.attempt <= secrets.fence();
    !claimed && !behind && !secrets.ours().any(held)
}

fn halt(attempt: u32, id: &str) -> Halt {
    Halt::stalled(
        Reason::IdentityConflict,
        format!(
            "the service lists the token {id} as attempt {attempt} of this object, and nothing here says that it was claimed: another \
             cluster, a clone or one restored from the same backup, works with copies of this object, or this object's status was lost. \
             Nothing is generated or revoked until this is settled. If there is another cluster, give one of the two a service object \
             with another naming.prefix, and new ArtifactTokens. If there is none, or none any more, set the annotation \
             artifact-token.dev/confirm-identity to a new value here: then the token is revoked after the overlap"
        ),
    )
}

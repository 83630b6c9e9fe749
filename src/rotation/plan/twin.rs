//! Twins: another cluster that works with copies of the same objects (P21).
//!
//! A token whose name carries this object's identity is this object's own, or a twin's: a clone of the cluster, or the cluster
//! that this one was restored from, has the same uids and goes on counting attempts. Which of the two goes on is for a person to
//! say; until then nothing is generated or revoked, for a consumer of the twin may hold the token.

use crate::api::ledger::{Claim, Ledger, Outcome};
use crate::api::reason::Reason;
use crate::rotation::desired::Halt;
use crate::rotation::identity::FIRST_NONCE;
use crate::rotation::observed::Row;

use super::{Step, View, claim, cleanup};

pub(super) fn twin(view: &View) -> Option<Step> {
    match doubt(view) {
        // What the Secret holds is verified all the same: Ready must not speak of a dead token (S13).
        Some(Step::Halt(halt)) => return Some(claim::verification(view).unwrap_or(Step::Halt(halt))),
        Some(step) => return Some(step),
        None => {}
    }
    let observed = view.observed;
    observed.ledger.conflict.as_ref()?;
    if !view.attributable() {
        return Some(view.wait());
    }
    if observed.listing.is_none() {
        return Some(view.paused(observed.pauses.sweep).unwrap_or(Step::Sweep));
    }
    let strangers = cleanup::unknown_rows(view).next().is_some();
    (!strangers && observed.live()).then_some(Step::Confirm)
}

/// Whose tokens these are is in doubt: it is written down, and halts everything.
pub(super) fn doubt(view: &View) -> Option<Step> {
    let observed = view.observed;
    if confirmed(view) {
        return None;
    }
    if let Some(conflict) = &observed.ledger.conflict {
        return Some(Step::Halt(halt(conflict.attempt, &conflict.id)));
    }
    // The Secret is read after the list, and says how far a ledger may be behind.
    if !observed.live() {
        return None;
    }
    view.rows().find(|row| never_claimed(view, row)).cloned().map(Step::Dispute)
}

/// A person said so after the conflict was written down.
fn confirmed(view: &View) -> bool {
    let observed = view.observed;
    let asked = observed.requests.confirm.is_some();
    observed.ledger.conflict.is_some() && asked && observed.requests.confirm != observed.ledger.handled_requests.confirm
}

/// This object's ledger counts every attempt and keeps the nonces of those that can still be listed. A ledger that was lost
/// disputes nothing, and one that is behind its own Secret disputes nothing that the Secret is at.
fn never_claimed(view: &View, row: &Row) -> bool {
    let observed = view.observed;
    let ledger = &observed.ledger;
    if lost(ledger) || ledger.knows(&row.id) || ledger.ended(&row.id) {
        return false;
    }
    let nonces: Vec<&str> = ledger.nonces_of(row.attempt).filter(|nonce| !nonce.is_empty()).collect();
    if nonces.contains(&row.nonce.as_str()) {
        return false;
    }
    !nonces.is_empty() || row.attempt > ledger.highest_attempt().max(observed.fence())
}

/// It knows of nothing but the finalizer's claim, and that one is implied: what else there was may have been lost with it.
fn lost(ledger: &Ledger) -> bool {
    let implied = |claim: &Claim| claim.nonce == FIRST_NONCE && claim.outcome == Some(Outcome::Failed);
    ledger.current.is_none() && ledger.claim.as_ref().is_none_or(implied)
}

fn halt(attempt: u32, id: &str) -> Halt {
    Halt::stalled(
        Reason::IdentityConflict,
        format!(
            "the service lists the token {id} as attempt {attempt} of this object, and this cluster never claimed it: another cluster, \
             a clone or one restored from the same backup, works with copies of this object. Nothing is generated or revoked until \
             this is settled: give one of the two a service object with another naming.prefix, and new ArtifactTokens; or, if the \
             other cluster is gone for good, set the annotation artifact-token.dev/confirm-identity to a new value here: then its \
             tokens are revoked after the overlap"
        ),
    )
}

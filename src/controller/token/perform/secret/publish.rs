//! Publishes the value in flight (P4), and rolls back (P10).

use crate::api::ledger::{Claim, Outcome};
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Flow, Pass};
use crate::controller::token::perform::outcome::unrenderable;
use crate::controller::value_digest::digest_of;
use crate::rotation::observed::Observed;
use crate::secret::metadata::Marks;

use super::access::{DryRun, SecretAccess, SecretWrite};
use super::written::{note, rendered, replaced};

/// Writes the value in flight.
pub(in crate::controller::token::perform) async fn update(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    secrets: &SecretAccess,
    observed: &mut Observed,
) -> Result<Flow, PassError> {
    let Some(attempt) = &pass.memory().in_flight else { return Ok(Flow::Continue) };
    let Some(value) = &attempt.value else { return Ok(Flow::Continue) };
    let (number, id, token, expiration) = (attempt.attempt, value.id.clone(), value.token.clone(), value.expiration);
    let superseded = replaced(pass, &id);
    let marks = Marks { attempt: number, token_id: Some(id.clone()), superseded, fence: observed.secrets.fence() };
    let desired = match rendered(pass, &token, &marks, expiration) {
        Ok(desired) => desired,
        Err(halt) => return unrenderable(pass, objects, halt, observed).await,
    };
    // Note the publish before it is sent, and take the note back only if it was certainly refused.
    let before = mark_sent(pass, true);
    let write = match pass.secret() {
        Some(current) => secrets.replace(&desired, current).await,
        None => secrets.create(&desired, DryRun::No).await,
    };
    let now = pass.now().time();
    match &write {
        SecretWrite::Done(_) => {
            let memory = pass.memory_mut();
            memory.digest = Some((id, digest_of(&token)));
            if let Some(value) = memory.in_flight.as_mut().and_then(|attempt| attempt.value.as_mut()) {
                value.published = Some(now);
            }
        }
        SecretWrite::Conflict | SecretWrite::Denied(_) => {
            mark_sent(pass, before);
        }
        SecretWrite::Unknown(_) => {}
    }
    note(pass, write);
    Ok(Flow::Continue)
}

/// Notes whether a publish of the value in flight may have reached the API server. Returns what was noted before.
fn mark_sent(pass: &mut Pass<'_>, sent: bool) -> bool {
    let value = pass.memory_mut().in_flight.as_mut().and_then(|attempt| attempt.value.as_mut());
    value.is_some_and(|value| std::mem::replace(&mut value.sent, sent))
}

/// Restores the current token, in a write that fences off the failed one.
pub(in crate::controller::token::perform) async fn roll_back(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    secrets: &SecretAccess,
    fence: u32,
) -> Result<Flow, PassError> {
    let Some(current) = pass.ledger().current.clone() else { return Ok(Flow::Continue) };
    let Some(token) = pass.memory().values.get(&current.id).cloned() else { return Ok(Flow::Continue) };
    // After an edit by hand nothing but the ledger says which token belongs into the Secret, and the cache may be behind.
    if current.hand_over.is_some()
        && let Some(newer) = objects.newer(pass.object()).await?
    {
        pass.overtaken(newer);
        return Ok(Flow::Continue);
    }
    let superseded = replaced(pass, &current.id);
    let marks = Marks { attempt: current.attempt, token_id: Some(current.id), superseded, fence };
    let write = match (rendered(pass, &token, &marks, current.expiration_time), pass.secret()) {
        (Ok(desired), Some(held)) => secrets.replace(&desired, held).await,
        (Ok(desired), None) => secrets.create(&desired, DryRun::No).await,
        (Err(halt), _) => SecretWrite::Denied(halt),
    };
    if matches!(write, SecretWrite::Done(_)) {
        let failed = |claim: &Claim| claim.attempt == fence && claim.outcome == Some(Outcome::Failed);
        if pass.ledger().claim.as_ref().is_some_and(failed) {
            let note = format!("attempt {} was put back, attempt {fence} was not accepted", current.attempt);
            pass.warn(Reason::RotationRolledBack, "RollBack", note).await;
        } else {
            pass.corrected();
            let note = format!("somebody else took attempt {} out of the Secret; it was put back", current.attempt);
            pass.normal(Reason::SecretDriftCorrected, "RollBack", note).await;
        }
    }
    note(pass, write);
    Ok(Flow::Continue)
}

//! Writes the Secret without a new token: the placeholder, the fence (P5), drift, and the deletion.

use kube::ResourceExt;

use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::object_writer::ObjectWriter;
use crate::controller::token::pass::{Flow, Pass};
use crate::rotation::observed::SecretState;
use crate::rotation::step_kind::StepKind;
use crate::secret::content;
use crate::secret::metadata::Marks;
use crate::secret::patch;

use super::access::{DryRun, SecretAccess, SecretDeletion, SecretWrite};
use super::preflight::read;
use super::written::{note, rendered};

/// Creates our Secret without a token. A cache may still have an object that is gone; nobody would take away what is created for that. Nor may
/// it have an old ledger, since the fence that is known there would take the place of a higher one, which a person deleted with the Secret.
pub(in crate::controller::token::perform) async fn create_placeholder(
    pass: &mut Pass<'_>,
    objects: &ObjectWriter,
    secrets: &SecretAccess,
    fence: u32,
) -> Result<Flow, PassError> {
    let Some(now) = objects.now(pass.object()).await? else { return Ok(Flow::Gone) };
    if now.resource_version() != pass.object().resource_version() {
        pass.overtaken(now);
        return Ok(Flow::Continue);
    }
    let marks = Marks { fence, ..Marks::default() };
    let desired = content::placeholder(&pass.object().spec.secret, pass.owner(), &marks);
    let write = secrets.create(&desired, DryRun::No).await;
    note(pass, write);
    Ok(Flow::Continue)
}

/// Makes a write that really changes the Secret, so that an older publish can no longer succeed.
pub(in crate::controller::token::perform) async fn raise_fence(
    pass: &mut Pass<'_>,
    secrets: &SecretAccess,
    fence: u32,
) -> Flow {
    let Some(secret) = pass.secret() else { return Flow::Continue };
    // The numbers and ids of a former object mean nothing here.
    let former = matches!(pass.secret_state(), SecretState::Former(_));
    let marks = if former { Marks::default() } else { pass.marks_of(secret) };
    let marks = Marks { fence, ..marks };
    let version = secret.resource_version().unwrap_or_default();
    let write = secrets.patch(patch::marks_patch(&marks, pass.owner(), &version), DryRun::No).await;
    note(pass, write);
    Flow::Continue
}

/// Writes the same token as the spec wants it now.
pub(in crate::controller::token::perform) async fn render(pass: &mut Pass<'_>, secrets: &SecretAccess) -> Flow {
    let Some(secret) = pass.secret().cloned() else { return Flow::Continue };
    let Some(token) = pass.token_in(&secret) else { return Flow::Continue };
    let marks = pass.marks_of(&secret);
    let expiration = pass.ledger().current.as_ref().and_then(|current| current.expiration_time);
    let desired = rendered(pass, &token, &marks, expiration);
    let drift = desired.as_ref().map(|desired| patch::drift(desired, &secret)).unwrap_or_default().join(", ");
    let write = match desired {
        Ok(desired) => secrets.replace(&desired, &secret).await,
        Err(halt) => SecretWrite::Denied(halt),
    };
    let done = matches!(write, SecretWrite::Done(_));
    note(pass, write);
    let rendered = matches!(pass.secret_state(), SecretState::Ours(ours) if ours.rendered);
    let object = pass.object();
    let applied = object.status.as_ref().and_then(|status| status.observed_generation) == object.metadata.generation;
    // What the answer shows in another form was changed back by a webhook: writing again at once would be a loop.
    if done && (applied || !rendered) {
        pass.corrected();
    }
    if done && applied && rendered {
        let note = format!("somebody else changed the Secret; it is as the spec says again: {drift}");
        pass.normal(Reason::SecretDriftCorrected, "Render", note).await;
    }
    Flow::Continue
}

/// Deletes the Secret, only if it is ours, and in the version that was read.
pub(in crate::controller::token::perform) async fn delete(
    pass: &mut Pass<'_>,
    secrets: &SecretAccess,
) -> Result<Flow, PassError> {
    let Some(secret) = pass.secret() else { return Ok(Flow::Continue) };
    match secrets.delete(secret).await {
        SecretDeletion::Gone => pass.secret_read(None),
        SecretDeletion::Conflict => return read(pass, secrets).await,
        SecretDeletion::Unknown(what) => {
            pass.secret_written(None);
            pass.pause(StepKind::Secret, Reason::SecretUpdateFailed, &what);
        }
    }
    Ok(Flow::Continue)
}

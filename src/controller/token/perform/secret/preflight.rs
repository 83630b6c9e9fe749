//! Reads the Secret, and makes a dry-run of its write (P15).

use kube::ResourceExt;
use secrecy::SecretString;
use serde_json::json;

use crate::api::ids::TokenId;
use crate::api::reason::Reason;
use crate::api::token_service::Capability;
use crate::controller::error::PassError;
use crate::controller::token::memory::retries::StepKind;
use crate::controller::token::pass::{Flow, Pass};
use crate::controller::token::perform::calls::{ISSUE_CALLS, MAX_WAIT, reason_of, take_places};
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Observed, SecretState};
use crate::secret::metadata::{MANAGED, Marks};
use crate::service::client::ServiceClient;

use super::access::{DryRun, SecretAccess, SecretWrite};
use super::written::rendered;

/// Stands in for the token in the dry-run of a first write. It is as long as most tokens.
const STAND_IN: &str = "stands-in-for-a-token-that-is-not-generated-yet";

/// Reads the Secret live. A failure ends the pass, and the next one begins with a read.
pub(in crate::controller::token) async fn read(pass: &mut Pass<'_>, secrets: &SecretAccess) -> Result<Flow, PassError> {
    let secret = secrets.read().await?;
    pass.secret_read(secret);
    Ok(Flow::Continue)
}

/// Makes the dry-run. Its answer also is the live read of a rotation: it shows the Secret as it is.
pub(in crate::controller::token::perform) async fn preflight(
    pass: &mut Pass<'_>,
    client: Option<&ServiceClient>,
    secrets: &SecretAccess,
    observed: &Observed,
) -> Result<Flow, PassError> {
    if let Some(client) = client
        && !has_room(pass, client).await
    {
        return Ok(Flow::Continue);
    }
    let absent = *pass.secret_state() == SecretState::Absent;
    let write = if absent { dry_create(pass, secrets).await } else { dry_patch(pass, secrets, observed).await };
    match write {
        SecretWrite::Done(secret) => {
            pass.went_well(StepKind::Secret);
            pass.write_admitted((!absent).then_some(*secret));
        }
        SecretWrite::Conflict => return read(pass, secrets).await,
        SecretWrite::Denied(halt) => pass.forbid(halt),
        SecretWrite::Unknown(what) => pass.pause(StepKind::Secret, Reason::SecretUpdateFailed, &what),
    }
    Ok(Flow::Continue)
}

async fn dry_create(pass: &Pass<'_>, secrets: &SecretAccess) -> SecretWrite {
    let token = SecretString::from(STAND_IN);
    let marks = Marks { attempt: 1, token_id: TokenId::new("stand-in"), ..Marks::default() };
    match rendered(pass, &token, &marks, None) {
        Ok(desired) => secrets.create(&desired, DryRun::Yes).await,
        Err(halt) => SecretWrite::Denied(halt),
    }
}

/// Sends a write that changes nothing but is checked like a real one: by admission, quota and rights, and against a namespace
/// that is being deleted.
async fn dry_patch(pass: &Pass<'_>, secrets: &SecretAccess, observed: &Observed) -> SecretWrite {
    let known = pass.secret().and_then(ResourceExt::resource_version);
    let remembered = pass.memory().secret.as_ref().map(|seen| seen.version.clone());
    let recorded = observed.ledger.current.as_ref().map(|current| current.secret_resource_version.clone());
    let version = known.or(remembered).or(recorded).unwrap_or_default();
    let patch = json!({"metadata": {"resourceVersion": version, "labels": {MANAGED: "true"}}});
    secrets.patch(patch, DryRun::Yes).await
}

/// Whether `limits.maximumLiveTokens` leaves room for a token, where the service object sets it.
async fn has_room(pass: &mut Pass<'_>, client: &ServiceClient) -> bool {
    let Some(most) = pass.service().and_then(|service| service.spec.limits.maximum_live_tokens) else { return true };
    if !client.declaration().can(Capability::List) {
        return true;
    }
    // The calls of the issue take their places together with this one: a list must not use up what the claim needs.
    let Some(mut places) = take_places(pass, client, 1 + ISSUE_CALLS, MAX_WAIT).await else { return false };
    match client.list(&mut places).await {
        Ok(listing) if listing.rows.len() < usize::try_from(most).unwrap_or(usize::MAX) => {
            pass.keep_places(places);
            true
        }
        Ok(listing) => {
            let message = format!(
                "the service has {} live tokens and limits.maximumLiveTokens of the TokenService is {most}: revoke \
                 some there, or raise the limit",
                listing.rows.len()
            );
            pass.forbid(Halt::stalled(Reason::TokenLimitReached, message));
            false
        }
        Err(error) => {
            pass.pause_at_least(StepKind::Generate, error.retry_after(), reason_of(&error), &error.to_string());
            false
        }
    }
}

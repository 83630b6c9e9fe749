//! Reads the Secret, and makes a dry-run of its write (P15).

use std::time::Duration;

use kube::ResourceExt;
use secrecy::SecretString;
use serde_json::json;

use crate::api::ids::TokenId;
use crate::api::reason::Reason;
use crate::api::token_service::Capability;
use crate::controller::error::PassError;
use crate::controller::token::pass::{Flow, Pass};
use crate::controller::token::perform::calls::{ISSUE_CALLS, call_failed, take_places};
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Observed, SecretState};
use crate::rotation::step_kind::StepKind;
use crate::secret::metadata::{MANAGED, Marks};
use crate::service::client::{Places, ServiceClient};

use super::access::{DryRun, SecretAccess, SecretWrite};
use super::written::rendered;

/// Stands in for the token in the dry-run of a first write. It is as long as most tokens.
const STAND_IN: &str = "stands-in-for-a-token-that-is-not-generated-yet";

/// How soon an object looks again whether there is room at the service.
const PROMISED_LOOK: Duration = Duration::from_secs(2);

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
    // The turn at the service comes before the dry-run: a wait for it costs no request to the API server.
    if let Some(client) = client
        && !pass.has_places()
        && !take_issue_places(pass, client).await
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

/// Takes the places of an issue; where the service object sets `limits.maximumLiveTokens`, also a look whether there is room.
async fn take_issue_places(pass: &mut Pass<'_>, client: &ServiceClient) -> bool {
    let most = pass.service().and_then(|service| service.spec.limits.maximum_live_tokens);
    let most = most.filter(|_| client.declaration().can(Capability::List));
    // The calls of the issue take their places together with the list, which must not use up what the claim needs.
    let calls = ISSUE_CALLS + u32::from(most.is_some());
    let Some(mut places) = take_places(pass, client, StepKind::Generate, calls).await else { return false };
    if let Some(most) = most
        && !has_room(pass, client, &mut places, most).await
    {
        return false;
    }
    pass.keep_places(places);
    true
}

async fn has_room(pass: &mut Pass<'_>, client: &ServiceClient, places: &mut Places, most: i32) -> bool {
    let kept = client.rate_limit().promises_kept();
    match client.list(places).await {
        Ok(listing) if places.promise_room(listing.rows.len(), kept, most.unsigned_abs()) => {
            pass.has_room();
            true
        }
        Ok(listing) if listing.rows.len() < usize::try_from(most).unwrap_or(usize::MAX) => {
            pass.has_room();
            // The last rooms are promised to tokens that are being generated. They may fail, or be in the list already.
            pass.wait_for_turn(StepKind::Generate, PROMISED_LOOK);
            false
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
            call_failed(pass, StepKind::Generate, &error);
            false
        }
    }
}

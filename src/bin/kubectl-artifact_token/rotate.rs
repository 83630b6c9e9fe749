//! `kubectl artifact-token rotate`: asks for a new token now, with the usual overlap.

use anyhow::{bail, ensure};
use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::ledger::ArtifactTokenStatus;
use artifact_token_operator::service::mask::plain;
use kube::ResourceExt as _;

use super::ask::{Arguments, Question, ask};
use super::wait::{condition, is_ready};

/// Asks for the rotations, and waits for them.
///
/// # Errors
/// As [`ask`] says, and when only a person can make the next token.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (annotation, asked) = (ROTATE_REQUESTED_AT, "rotation requested");
    ask(arguments, &Question { annotation, asked, before, outcome }).await
}

/// The attempt of the token that is to be replaced; 0 for none.
fn before(token: &ArtifactToken) -> anyhow::Result<u32> {
    let (namespace, name) = (token.namespace().unwrap_or_default(), token.name_any());
    ensure!(token.metadata.deletion_timestamp.is_none(), "artifacttoken/{name} is being deleted");
    ensure!(
        !token.spec.suspend,
        "artifacttoken/{name} is suspended, so it gets no new token: kubectl artifact-token resume {name} -n {namespace}"
    );
    let current = token.status.as_ref().and_then(|status| status.ledger.current.as_ref());
    Ok(current.map_or(0, |current| current.attempt))
}

fn outcome(token: &ArtifactToken, old: &u32) -> anyhow::Result<Option<String>> {
    let Some(status) = &token.status else { return Ok(None) };
    let current = status.ledger.current.as_ref();
    if let Some(due) = condition(token, ConditionType::HandOverDue)
        && current.is_none_or(|current| current.hand_over.is_some())
    {
        bail!("artifacttoken/{} waits for you: {}", token.name_any(), plain(&due.message));
    }
    // Somebody may have asked again meanwhile: then their request is the one that is handled.
    let asked = token.annotations().get(ROTATE_REQUESTED_AT);
    let done = status.ledger.handled_requests.rotate.as_ref() == asked && is_ready(token);
    let Some(current) = current.filter(|current| done && current.attempt > *old) else { return Ok(None) };
    let secret = &token.spec.secret.name;
    Ok(Some(format!("rotated: attempt {} is in the Secret {secret}{}", current.attempt, replaced(status, *old))))
}

/// What becomes of the token before.
fn replaced(status: &ArtifactTokenStatus, old: u32) -> String {
    let Some(old) = status.ledger.superseded.iter().find(|entry| entry.attempt == old) else { return String::new() };
    match old.handed_over {
        true => format!("; attempt {} is yours to revoke after {}", old.attempt, old.revoke_after_time),
        false => format!("; attempt {} is revoked at {}", old.attempt, old.revoke_after_time),
    }
}

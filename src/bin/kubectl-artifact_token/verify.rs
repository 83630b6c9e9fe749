//! `kubectl artifact-token verify`: has the operator look at the Secret and ask the service about the token now.

use anyhow::bail;
use artifact_token_operator::api::artifact_token::{ArtifactToken, RECONCILE_REQUESTED_AT};
use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use artifact_token_operator::service::mask::plain;
use kube::ResourceExt as _;

use super::ask::{Arguments, Question, ask};
use super::wait::condition;

/// Asks for the verifications, and tells what they found.
///
/// # Errors
/// As [`ask`] says, and when a token does not work.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (annotation, asked) = (RECONCILE_REQUESTED_AT, "verification requested");
    ask(arguments, &Question { annotation, asked, before: |_: &ArtifactToken| Ok(()), outcome }).await
}

/// What the operator found, once it has handled the request.
fn outcome(token: &ArtifactToken, (): &()) -> anyhow::Result<Option<String>> {
    let handled = token.status.as_ref().and_then(|status| status.ledger.handled_requests.reconcile.as_ref());
    // Somebody may have asked again meanwhile: then their request is the one that is handled.
    let asked = token.annotations().get(RECONCILE_REQUESTED_AT);
    let Some(ready) = condition(token, ConditionType::Ready).filter(|_| handled == asked) else { return Ok(None) };
    let (name, reason, message) = (token.name_any(), ready.reason, plain(&ready.message));
    match ready.status {
        ConditionStatus::True if reason == Reason::TokenUnverified => {
            Ok(Some("not asked: spec.verification.probe is Disabled; the Secret is as it should be".to_owned()))
        }
        ConditionStatus::True => Ok(Some(format!("verified: {message}"))),
        ConditionStatus::False => bail!("artifacttoken/{name} does not work ({reason}): {message}"),
        ConditionStatus::Unknown => bail!("artifacttoken/{name} may not work ({reason}): {message}"),
    }
}

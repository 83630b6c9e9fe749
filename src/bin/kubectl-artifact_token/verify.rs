//! `kubectl artifact-token verify`: has the operator look at the Secret and ask the service about the token now.

use anyhow::bail;
use artifact_token_operator::api::artifact_token::{ArtifactToken, RECONCILE_REQUESTED_AT};
use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use kube::Client;
use serde_json::json;

use super::change::Writing;
use super::cluster::{Place, now};
use super::each::each;
use super::places::by_hand;
use super::target::{Selection, Target};
use super::wait::{Waiting, condition, plain};

/// Which tokens.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    waiting: Waiting,
}

/// Asks for the verifications, and tells what they found.
///
/// # Errors
/// When no operator leads, a token does not work, or the API server refuses the request.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (client, namespace) = arguments.place.connect().await?;
    let targets = arguments.selection.targets(&client, &namespace, false).await?;
    if arguments.waiting.wait && !arguments.writing.dry_run {
        arguments.waiting.operator.require(&client, || by_hand(&targets)).await?;
    }
    let request = String::from(now());
    each(&targets, |target| verify(&client, target, &request, arguments)).await
}

async fn verify(client: &Client, target: &Target, request: &str, arguments: &Arguments) -> anyhow::Result<String> {
    let Arguments { writing, waiting, .. } = arguments;
    writing.patch(client, target, &json!({"metadata": {"annotations": {RECONCILE_REQUESTED_AT: request}}})).await?;
    if writing.dry_run || !waiting.wait {
        return Ok(writing.done(target, "verification requested"));
    }
    waiting.until(client, target, |token| outcome(token, request)).await.map(|told| writing.done(target, &told))
}

/// What the operator found, once it has handled the request.
fn outcome(token: &ArtifactToken, request: &str) -> anyhow::Result<Option<String>> {
    let status = token.status.clone().unwrap_or_default();
    let handled = status.ledger.handled_requests.reconcile.as_deref() == Some(request);
    let Some(ready) = condition(token, ConditionType::Ready).filter(|_| handled) else { return Ok(None) };
    let message = plain(&ready.message);
    match ready.status {
        ConditionStatus::True => Ok(Some(format!("verified: {message}"))),
        ConditionStatus::False | ConditionStatus::Unknown => {
            let name = token.metadata.name.as_deref().unwrap_or_default();
            bail!("artifacttoken/{name} does not work: {} ({}): {message}", ready.status.name(), ready.reason)
        }
    }
}

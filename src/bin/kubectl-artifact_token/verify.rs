//! `kubectl artifact-token verify`: has the operator look at the Secret and ask the service about the token now.

use anyhow::bail;
use artifact_token_operator::api::artifact_token::{ArtifactToken, RECONCILE_REQUESTED_AT};
use artifact_token_operator::api::condition::{ConditionStatus, ConditionType};
use artifact_token_operator::api::reason::Reason;
use kube::{Client, ResourceExt as _};
use serde_json::json;

use super::change::Writing;
use super::cluster::{Place, now};
use super::each::each;
use super::places::by_hand;
use super::target::{Selection, Target};
use super::wait::{Wait, Waiting, condition, plain};

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
    let waits = arguments.waiting.wait && !arguments.writing.dry_run;
    let leader = if waits { Some(arguments.waiting.operator.look(&client).await) } else { None };
    let targets = arguments.selection.targets(&client, &namespace, false).await?;
    if let Some(leader) = leader {
        leader.require(|| by_hand(&targets))?;
    }
    let wait = arguments.waiting.begin(&client);
    let request = String::from(now());
    each(&targets, |target| verify(&wait, &client, target, &request, arguments)).await
}

async fn verify(
    wait: &Wait<'_>,
    client: &Client,
    target: &Target,
    request: &str,
    arguments: &Arguments,
) -> anyhow::Result<String> {
    let Arguments { writing, waiting, .. } = arguments;
    writing.patch(client, target, &json!({"metadata": {"annotations": {RECONCILE_REQUESTED_AT: request}}})).await?;
    if writing.dry_run || !waiting.wait {
        return Ok(writing.done(target, "verification requested"));
    }
    let shown = target.shown();
    wait.until(target, |token| outcome(token, &shown)).await.map(|told| writing.done(target, &told))
}

/// What the operator found, once it has handled the request.
fn outcome(token: &ArtifactToken, shown: &str) -> anyhow::Result<Option<String>> {
    let status = token.status.clone().unwrap_or_default();
    // Somebody may have asked again meanwhile: then their request is the one that is handled.
    let handled = status.ledger.handled_requests.reconcile.as_ref() == token.annotations().get(RECONCILE_REQUESTED_AT);
    let Some(ready) = condition(token, ConditionType::Ready).filter(|_| handled) else { return Ok(None) };
    let (reason, message) = (ready.reason, plain(&ready.message));
    match ready.status {
        ConditionStatus::True if reason == Reason::TokenUnverified => {
            Ok(Some("not asked: spec.verification.probe is Disabled; the Secret is as it should be".to_owned()))
        }
        ConditionStatus::True => Ok(Some(format!("verified: {message}"))),
        ConditionStatus::False => bail!("{shown} does not work ({reason}): {message}"),
        ConditionStatus::Unknown => bail!("{shown} may not work ({reason}): {message}"),
    }
}

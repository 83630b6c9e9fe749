//! `kubectl artifact-token rotate`: asks for a new token now, with the usual overlap.

use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::ledger::ArtifactTokenStatus;
use kube::Client;
use serde_json::json;

use super::change::Writing;
use super::cluster::{Place, now};
use super::each::each;
use super::places::by_hand;
use super::target::{Selection, Target};
use super::wait::{Waiting, condition, is_ready, plain};

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

/// Asks for the rotations, and waits for them.
///
/// # Errors
/// When no operator leads, a rotation fails or takes too long, or the API server refuses the request.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (client, namespace) = arguments.place.connect().await?;
    let targets = arguments.selection.targets(&client, &namespace, false).await?;
    if arguments.waiting.wait && !arguments.writing.dry_run {
        arguments.waiting.operator.require(&client, || by_hand(&targets)).await?;
    }
    let request = String::from(now());
    each(&targets, |target| rotate(&client, target, &request, arguments)).await
}

async fn rotate(client: &Client, target: &Target, request: &str, arguments: &Arguments) -> anyhow::Result<String> {
    let Arguments { writing, waiting, .. } = arguments;
    let before = target.token()?;
    anyhow::ensure!(before.metadata.deletion_timestamp.is_none(), "{} is being deleted", target.shown());
    anyhow::ensure!(
        !before.spec.suspend,
        "{} is suspended, so it gets no new token: kubectl artifact-token resume {} -n {}",
        target.shown(),
        before.metadata.name.as_deref().unwrap_or_default(),
        target.namespace()
    );
    writing.patch(client, target, &json!({"metadata": {"annotations": {ROTATE_REQUESTED_AT: request}}})).await?;
    if writing.dry_run || !waiting.wait {
        return Ok(writing.done(target, "rotation requested"));
    }
    let old =
        before.status.as_ref().and_then(|status| status.ledger.current.as_ref()).map_or(0, |current| current.attempt);
    waiting
        .until(client, target, |token| Ok(outcome(token, request, old)))
        .await
        .map(|told| writing.done(target, &told))
}

/// What became of the request, once that is known. `old` is the attempt of the token before it.
fn outcome(token: &ArtifactToken, request: &str, old: u32) -> Option<String> {
    let status = token.status.as_ref()?;
    let current = status.ledger.current.as_ref();
    if let Some(due) = condition(token, ConditionType::HandOverDue)
        && current.is_none_or(|current| current.hand_over.is_some())
    {
        return Some(format!("waits for you: {}", plain(&due.message)));
    }
    let done = status.ledger.handled_requests.rotate.as_deref() == Some(request) && is_ready(token);
    let current = current.filter(|current| done && current.attempt > old)?;
    let secret = &token.spec.secret.name;
    Some(format!("rotated: attempt {} is in the Secret {secret}{}", current.attempt, overlap(status)))
}

fn overlap(status: &ArtifactTokenStatus) -> String {
    let old: Vec<String> = status
        .ledger
        .superseded
        .iter()
        .map(|old| format!("; attempt {} is revoked at {}", old.attempt, old.revoke_after_time))
        .collect();
    old.concat()
}

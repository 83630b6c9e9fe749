//! `kubectl artifact-token rotate`: asks for a new token now, with the usual overlap.

use anyhow::{bail, ensure};
use artifact_token_operator::api::artifact_token::{ArtifactToken, ROTATE_REQUESTED_AT};
use artifact_token_operator::api::condition::ConditionType;
use artifact_token_operator::api::ledger::ArtifactTokenStatus;
use artifact_token_operator::api::reason::Reason;
use kube::{Client, ResourceExt as _};
use serde_json::json;

use super::change::Writing;
use super::cluster::{Place, now};
use super::each::each;
use super::places::by_hand;
use super::target::{Selection, Target};
use super::wait::{Wait, Waiting, condition, is_ready, plain};

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
    let waits = arguments.waiting.wait && !arguments.writing.dry_run;
    let leader = if waits { Some(arguments.waiting.operator.look(&client).await) } else { None };
    let targets = arguments.selection.targets(&client, &namespace, false).await?;
    if let Some(leader) = leader {
        leader.require(|| by_hand(&targets))?;
    }
    let wait = arguments.waiting.begin(&client);
    let request = String::from(now());
    each(&targets, |target| rotate(&wait, &client, target, &request, arguments)).await
}

async fn rotate(
    wait: &Wait<'_>,
    client: &Client,
    target: &Target,
    request: &str,
    arguments: &Arguments,
) -> anyhow::Result<String> {
    let Arguments { writing, waiting, .. } = arguments;
    let before = target.token()?;
    ensure!(before.metadata.deletion_timestamp.is_none(), "{} is being deleted", target.shown());
    ensure!(
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
    let current = before.status.as_ref().and_then(|status| status.ledger.current.as_ref());
    let old = current.map_or(0, |current| current.attempt);
    wait.until(target, |token| outcome(token, old)).await.map(|told| writing.done(target, &told))
}

/// What became of the request, once that is known. `old` is the attempt of the token before it.
fn outcome(token: &ArtifactToken, old: u32) -> anyhow::Result<Option<String>> {
    let Some(status) = &token.status else { return Ok(None) };
    let current = status.ledger.current.as_ref();
    if let Some(due) = condition(token, ConditionType::HandOverDue)
        && current.is_none_or(|current| current.hand_over.is_some())
    {
        return Ok(Some(format!("waits for you: {}", plain(&due.message))));
    }
    let suspended = status.conditions.iter().find(|condition| condition.reason == Reason::Suspended);
    if let Some(suspended) = suspended {
        bail!("its service object is suspended: {}", plain(&suspended.message));
    }
    // Somebody may have asked again meanwhile: then their request is the one that is handled.
    let asked = token.annotations().get(ROTATE_REQUESTED_AT);
    let done = status.ledger.handled_requests.rotate.as_ref() == asked && is_ready(token);
    let Some(current) = current.filter(|current| done && current.attempt > old) else { return Ok(None) };
    let secret = &token.spec.secret.name;
    Ok(Some(format!("rotated: attempt {} is in the Secret {secret}{}", current.attempt, replaced(status, old))))
}

/// What becomes of the token before.
fn replaced(status: &ArtifactTokenStatus, old: u32) -> String {
    let Some(old) = status.ledger.superseded.iter().find(|entry| entry.attempt == old) else { return String::new() };
    match old.handed_over {
        true => format!("; attempt {} is yours to revoke after {}", old.attempt, old.revoke_after_time),
        false => format!("; attempt {} is revoked at {}", old.attempt, old.revoke_after_time),
    }
}

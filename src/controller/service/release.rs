//! The deletion of a service object: its finalizer stays until no token needs it.

use std::time::Duration;

use kube::ResourceExt;
use kube::api::ListParams;
use kube::runtime::controller::Action;

use crate::api::FINALIZER;
use crate::api::artifact_token::ArtifactToken;
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::registry::Key;
use crate::controller::service::load::load;
use crate::controller::service::object::ServiceObject;
use crate::controller::service::status::update_status;
use crate::controller::shared::Shared;
use crate::rotation::desired::Halt;

/// How soon a service is checked again while its deletion waits for tokens.
const DELETION_LOOK: Duration = Duration::from_secs(2);
/// The most objects that a message names.
const MAX_NAMED: usize = 5;
/// Why the finalizer stays on a shared service when this operator cannot see all objects that may use it.
const UNSEEN: &str = "deletion waits: this operator may not list the ArtifactTokens of all namespaces, so it cannot know whether \
     tokens of this service live: allow its account that (verb list, without a namespace)";

/// Lets the deletion of a service object finish when no object with tokens needs it any more. First it stops new tokens, then a
/// live read shows which objects still have some.
pub(super) async fn delete_when_unused(mut service: ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
    let mut entry = load(&service, ctx).await?;
    let stuck = entry.halt.take().filter(|_| entry.client.is_none());
    let message =
        format!("the {} is being deleted and stays until no ArtifactToken has tokens of it: delete these", entry.key);
    entry.halt = Some(Halt::stalled(Reason::Deleting, message));
    ctx.services.put(entry.clone());
    let (users, all) = users(&entry.key, ctx).await?;
    if !users.is_empty() || !all {
        let message = if users.is_empty() { UNSEEN.to_owned() } else { waits(&users, stuck.as_ref()) };
        entry.halt = Some(Halt::stalled(Reason::Deleting, message));
        update_status(&service, &entry, ctx).await?;
        return Ok(Action::requeue(DELETION_LOOK));
    }
    service.remove_finalizer(&ctx.client).await?;
    // The event of its deletion takes it out of the registry: others' finalizers may keep the object for now.
    Ok(Action::await_change())
}

fn waits(users: &[String], stuck: Option<&Halt>) -> String {
    let named = users.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if users.len() > MAX_NAMED { ", ..." } else { "" };
    let waits = format!(
        "deletion waits: {} ArtifactTokens have tokens of this service ({named}{more}); delete them first",
        users.len()
    );
    let Some(stuck) = stuck else { return waits };
    format!(
        "{waits}. They cannot be revoked now: {}. If that is no longer possible, set the annotation \
         artifact-token.dev/skip-revocation: \"true\" on them, and revoke their tokens by hand",
        stuck.message
    )
}

/// A live read of the objects that have tokens of this service, and whether it covers every namespace.
async fn users(key: &Key, ctx: &Shared) -> Result<(Vec<String>, bool), PassError> {
    let (tokens, all) = match &key.namespace {
        Some(namespace) => {
            let read = ctx.tokens(namespace).list(&ListParams::default()).await;
            (read.map_err(|error| PassError::read("the ArtifactTokens of a service", &error))?.items, true)
        }
        None => ctx.all_tokens().await?,
    };
    let needs =
        |token: &&ArtifactToken| Key::of(token) == *key && token.finalizers().iter().any(|name| name == FINALIZER);
    let name = |token: &ArtifactToken| format!("{}/{}", token.namespace().unwrap_or_default(), token.name_any());
    Ok((tokens.iter().filter(needs).map(name).collect(), all))
}

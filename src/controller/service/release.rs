//! The deletion of a service object: its finalizer stays until no token needs it.

use std::ops::RangeInclusive;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::controller::Action;

use crate::api::FINALIZER;
use crate::api::artifact_token::ArtifactToken;
use crate::api::reason::Reason;
use crate::api::time::Time;
use crate::controller::error::PassError;
use crate::controller::live_tokens::paged;
use crate::controller::registry::Key;
use crate::controller::service::load::{load, not_loaded};
use crate::controller::service::object::ServiceObject;
use crate::controller::service::status::update_status;
use crate::controller::shared::Shared;
use crate::rotation::desired::Halt;

/// How soon a service is checked again while its deletion waits for tokens. The longer it has waited, the later; the event of an object
/// that goes makes it look at once.
const DELETION_LOOK: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(60);
/// The most objects that a message names.
const MAX_NAMED: usize = 5;
/// Why the finalizer stays on a shared service when this operator cannot see all objects that may use it.
const UNSEEN: &str = "deletion waits: this operator may not list the ArtifactTokens of all namespaces, so it cannot know whether \
     tokens of this service live: allow its account that (verb list, without a namespace)";

/// Lets the deletion of a service object finish when no object with tokens needs it any more. First it stops new tokens, then a
/// live read shows which objects still have some.
pub(super) async fn delete_when_unused(mut service: ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
    // A service whose Secrets cannot be read can be deleted all the same.
    let loaded = load(&service, ctx).await;
    let mut entry = loaded.unwrap_or_else(|error| not_loaded(&service, ctx, &error));
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
        return Ok(Action::requeue(next_look(&service, ctx)));
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

/// After a quarter of the time that the deletion has waited.
fn next_look(service: &ServiceObject, ctx: &Shared) -> Duration {
    let begun = service.meta.deletion_timestamp.as_ref().map(|time| Time::from_millis(time.0.as_millisecond()));
    let waited = begun.map(|begun| ctx.clock.now().time().since(begun)).unwrap_or_default();
    (waited / 4).clamp(*DELETION_LOOK.start(), *DELETION_LOOK.end())
}

/// The objects that have tokens of this service, and whether that covers every namespace. While the watch shows some, nothing is asked;
/// only a live read shows that there are none.
async fn users(key: &Key, ctx: &Shared) -> Result<(Vec<String>, bool), PassError> {
    let needs =
        |token: &ArtifactToken| Key::of(token) == *key && token.finalizers().iter().any(|name| name == FINALIZER);
    let name = |token: &ArtifactToken| format!("{}/{}", token.namespace().unwrap_or_default(), token.name_any());
    // An operator that watches some namespaces does not see all that use a shared service.
    let watched = key.namespace.is_some() || ctx.scopes.contains(&None);
    let cached = ctx.caches.matching(needs);
    if watched && !cached.is_empty() {
        return Ok((cached.iter().map(|token| name(token)).collect(), true));
    }
    let Some(namespace) = &key.namespace else {
        let live = ctx.live_tokens().await?;
        return Ok((live.tokens.iter().filter(|token| needs(token)).map(name).collect(), live.everywhere));
    };
    let read = paged(&ctx.tokens(namespace)).await;
    let tokens = read.map_err(|error| PassError::read("the ArtifactTokens of a service", &error))?;
    Ok((tokens.iter().filter(|token| needs(token)).map(name).collect(), true))
}

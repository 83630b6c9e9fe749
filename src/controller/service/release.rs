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

/// How soon a service is checked again while its deletion waits for tokens. The longer it has waited, the later; the event of the last
/// object that goes makes it look at once.
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
    let users = users(&entry.key, ctx).await?;
    if users.count > 0 || !users.everywhere {
        let message = if users.count == 0 { UNSEEN.to_owned() } else { waits(&users, stuck.as_ref()) };
        entry.halt = Some(Halt::stalled(Reason::Deleting, message));
        update_status(&service, &entry, ctx).await?;
        return Ok(Action::requeue(next_look(&service, ctx)));
    }
    service.remove_finalizer(&ctx.client).await?;
    // The event of its deletion takes it out of the registry: others' finalizers may keep the object for now.
    Ok(Action::await_change())
}

fn waits(users: &Users, stuck: Option<&Halt>) -> String {
    let named = users.named.join(", ");
    let more = if users.count > users.named.len() { ", ..." } else { "" };
    let waits = format!(
        "deletion waits: {} ArtifactTokens have tokens of this service ({named}{more}); delete them first",
        users.count
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
    let begun = service.meta.deletion_timestamp.as_ref().map(Time::from);
    let waited = begun.map(|begun| ctx.clock.now().time().since(begun)).unwrap_or_default();
    (waited / 4).clamp(*DELETION_LOOK.start(), *DELETION_LOOK.end())
}

/// The objects that have tokens of a service.
struct Users {
    count: usize,
    /// Namespaces and names of some of them.
    named: Vec<String>,
    /// Whether every namespace was looked at.
    everywhere: bool,
}

impl Users {
    fn among(tokens: &[ArtifactToken], key: &Key, everywhere: bool) -> Self {
        let needs =
            |token: &&ArtifactToken| Key::of(token) == *key && token.finalizers().iter().any(|name| name == FINALIZER);
        let name = |token: &ArtifactToken| format!("{}/{}", token.namespace().unwrap_or_default(), token.name_any());
        let named = tokens.iter().filter(needs).take(MAX_NAMED).map(name).collect();
        Self { count: tokens.iter().filter(needs).count(), named, everywhere }
    }
}

/// The objects that have tokens of this service. While the watch shows some, nothing is asked; only a live read shows that there are
/// none.
async fn users(key: &Key, ctx: &Shared) -> Result<Users, PassError> {
    // An operator that watches some namespaces does not see all that use a shared service.
    let watched = key.namespace.is_some() || ctx.scopes.contains(&None);
    let (count, named) = ctx.objects.users(key, MAX_NAMED);
    if watched && count > 0 {
        return Ok(Users { count, named, everywhere: true });
    }
    let Some(namespace) = &key.namespace else {
        let live = ctx.live_tokens().await?;
        return Ok(Users::among(&live.tokens, key, live.everywhere));
    };
    let read = paged(&ctx.tokens(namespace)).await;
    let tokens = read.map_err(|error| PassError::read("the ArtifactTokens of a service", &error))?;
    Ok(Users::among(&tokens, key, true))
}

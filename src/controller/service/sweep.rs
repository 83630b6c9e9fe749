//! The sweep of a service: which tokens live there under our name, and which objects own them (L3).
//!
//! The sweep lists the service first and looks at the objects after that. An object is created before its tokens, so a token
//! whose object is not there has lost its object. Mostly the watch shows an owner of each token, and nothing more is asked. Only
//! where it does not, the sweep reads all objects live. It never touches tokens of living objects; the passes over these objects look
//! for them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tokio::time::Instant;

use crate::api::artifact_token::ArtifactToken;
use crate::api::ids::TokenId;
use crate::api::time::Time;
use crate::api::token_service::sweep::{LastSweep, MAX_ORPHANS, Orphan, SweepPolicy};
use crate::api::token_service::{Capability, TokenServiceStatus};
use crate::controller::error::PassError;
use crate::controller::registry::{Change, Key, ServiceEntry, Uses};
use crate::controller::service::object::ServiceObject;
use crate::controller::shared::Shared;
use crate::rotation::identity;
use crate::rotation::ledger::is_news;
use crate::rotation::renamed::renamed;
use crate::rotation::service_sweep::{Findings, NamedToken, Owner, grace, sort};
use crate::rotation::urgency::Urgency;
use crate::service::client::answers::ListedToken;
use crate::service::client::{Places, ServiceClient};
use crate::service::errors::{Doubt, ServiceError};

/// The shortest interval between two lists of a service, whatever its spec says.
const MIN_INTERVAL: Duration = Duration::from_secs(10);
/// How soon a sweep that did not finish is tried again.
const AGAIN: Duration = Duration::from_secs(30);
/// If the rate limit asks for a longer wait, the sweep is put off.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// How long the revokes of one sweep may take. At the smallest limit that is some each time.
const REVOKES_TAKE: Duration = Duration::from_secs(60);
/// After this time a revoke needs a new look at all objects: one that was gone may be back.
const LOOK_COUNTS: Duration = Duration::from_secs(5);

/// Sweeps the service if it is time, and returns when to look again.
///
/// # Errors
/// When the API server does not answer.
pub(crate) async fn sweep(
    service: &ServiceObject,
    entry: &ServiceEntry,
    ctx: &Shared,
) -> Result<Option<Duration>, PassError> {
    let Some(client) = able(entry) else { return Ok(never(entry, ctx)) };
    let interval = service.spec.sweep.interval.0.max(MIN_INTERVAL);
    let now = ctx.clock.now();
    let wait = wait(service, entry, interval, ctx);
    if !wait.is_zero() {
        return Ok(Some(wait));
    }
    let mut places = match client.take_places(&entry.caller("sweep", Urgency::Rest), 0, MAX_WAIT).await {
        Ok(places) => places,
        Err(wait) => return Ok(Some(wait)),
    };
    let Ok(listing) = client.list(&mut places).await else {
        ctx.services.unlisted(entry, now.time());
        return Ok(Some(AGAIN));
    };
    let prefix = client.declaration().prefix().unwrap_or_default();
    let rows: Vec<NamedToken> = listing.rows.iter().map(named).collect();
    let owner = |token: &ArtifactToken| owner(service, entry, token, ctx);
    let looked = Instant::now();
    let near = ctx.objects.near(&service.key, &identities(prefix, &rows));
    note_uses(prefix, &listing.rows, &near, entry, ctx);
    let mut owners: HashMap<String, Owner> = near.iter().map(|token| owner(token)).collect();
    let mut found = sort(prefix, rows.clone(), &owners, true, now.waited());
    if !found.all_have_owners() {
        let live = ctx.live_tokens().await?;
        owners = live.tokens.iter().map(owner).collect();
        found = sort(prefix, rows.clone(), &owners, live.everywhere, now.waited());
    }
    let renamed = renamed(prefix, &service.uid(), &rows, &owners);
    for uid in &found.suspects {
        ctx.suspect(uid);
        ctx.services.notify(Change::Object(uid.clone()));
    }
    let recorded: &[Orphan] = service.last_sweep().map_or(&[], |last| &last.orphans);
    if let Err(error) = unlike_tokens(&client, &places, &found, recorded).await {
        if let ServiceError::Unknown { what, doubt: Doubt::TokenAsId } = error {
            ctx.services.misdeclared(service.key.clone(), entry.generation, what);
        }
        ctx.services.unlisted(entry, now.time());
        return Ok(Some(AGAIN));
    }
    if service.spec.sweep.policy == SweepPolicy::Revoke {
        // Others may have a list meanwhile.
        places.step_out();
        let sweep = Sweep { service, entry, client: &client, rows: &rows, recorded, ctx };
        if sweep.revoke(sweep.revocable(&found, &owners), looked).await {
            forget_gone(&client, &mut places, &mut found).await;
        }
    }
    if report(service, &found, renamed, recorded, ctx).await? {
        ctx.services.swept(entry, now.time());
    }
    Ok(Some(interval))
}

/// How long until the next sweep. Checks come for other reasons, too, and may begin with an object from before the sweep that this
/// process has just recorded.
fn wait(service: &ServiceObject, entry: &ServiceEntry, interval: Duration, ctx: &Shared) -> Duration {
    let now = ctx.clock.now();
    // A time ahead was recorded by a clock that was set back since. Clocks of several API servers differ by seconds.
    let past = |at: &Time| now.reached(at.minus(interval));
    let recorded = service.last_sweep().map(|last| last.time).filter(past);
    let last = recorded.max(ctx.services.last_sweep(entry).filter(past));
    // The first sweep comes an interval after the service object was created.
    let due = last.or(service.created()).unwrap_or(now.time()).plus(interval);
    let again = ctx.services.last_unlisted(entry).filter(past).map(|failed| failed.plus(AGAIN));
    again.map_or(due, |again| again.max(due)).since(now.time())
}

/// No sweep is due. What an earlier list said of uses is too old by now.
fn never(entry: &ServiceEntry, ctx: &Shared) -> Option<Duration> {
    ctx.services.used(entry, Uses::new());
    None
}

/// The identities in the names of the rows.
fn identities(prefix: &str, rows: &[NamedToken]) -> HashSet<String> {
    rows.iter().filter_map(|row| identity::parse(prefix, &row.name)).map(|name| name.uid16).collect()
}

/// The object as the sweep sees it. Where two service objects use one account, each lists the tokens of both.
fn owner(service: &ServiceObject, entry: &ServiceEntry, token: &ArtifactToken, ctx: &Shared) -> (String, Owner) {
    let uid = token.uid().unwrap_or_default();
    let refers = Key::of(token) == service.key;
    let defaults = entry.spec.defaults.as_ref();
    let overlap = ctx.settings.overlap(token.spec.rotation.overlap, defaults.and_then(|defaults| defaults.overlap));
    let seen = token.status.as_ref().and_then(|status| status.observed_generation);
    let unseen = seen.is_none_or(|seen| seen < 0);
    let ledger = token.status.as_ref().map(|status| status.ledger.clone()).unwrap_or_default();
    let concerned = refers || ledger.service.as_ref().is_some_and(|issuer| issuer.uid == entry.uid);
    (uid, Owner { ledger, overlap, concerned, unseen })
}

/// The client, if it can list tokens and tell them apart by their names.
fn able(entry: &ServiceEntry) -> Option<ServiceClient> {
    let can = |capability| entry.declaration.as_ref().is_some_and(|declaration| declaration.can(capability));
    entry.client.clone().filter(|_| can(Capability::List) && can(Capability::Names))
}

/// A row without a name is nobody's, unless its id is known: then the service has dropped its name.
fn named(row: &ListedToken) -> NamedToken {
    NamedToken { id: TokenId::new(row.id.as_str()), name: row.name.clone().unwrap_or_default() }
}

/// Keeps when our tokens were last used, and makes passes begin over the objects that have to record it.
fn note_uses(prefix: &str, rows: &[ListedToken], near: &[Arc<ArtifactToken>], entry: &ServiceEntry, ctx: &Shared) {
    let used = |row: &ListedToken| {
        let name = identity::parse(prefix, row.name.as_deref()?)?;
        Some(((name.attempt, TokenId::new(row.id.as_str())?), row.last_used?))
    };
    let listed: Uses = rows.iter().filter_map(used).collect();
    let now = ctx.clock.now().time();
    // News in a fixed order, whatever that of the objects is.
    let (mut uses, mut news) = (Uses::new(), BTreeSet::new());
    for token in near.iter().filter(|token| Key::of(token) == entry.key) {
        let Some(current) = token.status.as_ref().and_then(|status| status.ledger.current.as_ref()) else { continue };
        let key = (current.attempt, current.id.clone());
        let Some(seen) = listed.get(&key).copied() else { continue };
        uses.insert(key, seen);
        news.extend(token.uid().filter(|_| is_news(current, seen, now)));
    }
    ctx.services.used(entry, uses);
    for uid in news {
        ctx.services.notify(Change::Object(uid));
    }
}

/// What is to be recorded may not be a token: people read it.
async fn unlike_tokens(
    client: &ServiceClient,
    places: &Places,
    found: &Findings,
    recorded: &[Orphan],
) -> Result<(), ServiceError> {
    let known = |id: &&TokenId| recorded.iter().any(|orphan| orphan.id == **id);
    let ids = found.ownerless.iter().flatten().filter_map(|orphan| orphan.id.as_ref());
    client.no_tokens(ids.take(MAX_ORPHANS).filter(|id| !known(id)).map(TokenId::as_str), places).await
}

/// A sweep that may revoke.
struct Sweep<'a> {
    service: &'a ServiceObject,
    entry: &'a ServiceEntry,
    client: &'a ServiceClient,
    rows: &'a [NamedToken],
    recorded: &'a [Orphan],
    ctx: &'a Shared,
}

impl Sweep<'_> {
    /// What has had no owner for long enough.
    fn revocable(&self, found: &Findings, owners: &HashMap<String, Owner>) -> Vec<NamedToken> {
        let settings = &self.ctx.settings;
        let publish_deadline = settings.timings(self.client.declaration().generate_timeout()).publish_deadline;
        let grace = grace(owners, publish_deadline, settings.orphan_grace);
        found.revocable(self.recorded, grace, self.ctx.clock.now().waited())
    }

    /// The same by all objects as they are now.
    async fn look_again(&self) -> Result<Vec<NamedToken>, PassError> {
        let live = self.ctx.live_tokens().await?;
        let owners = live.tokens.iter().map(|token| owner(self.service, self.entry, token, self.ctx)).collect();
        let prefix = self.client.declaration().prefix().unwrap_or_default();
        let now = self.ctx.clock.now().waited();
        let found = sort(prefix, self.rows.to_vec(), &owners, live.everywhere, now);
        Ok(self.revocable(&found, &owners))
    }

    /// Revokes as many of these tokens as the rate limit allows in a while, if nobody owned them at `looked`. Returns whether any revoke was
    /// sent.
    async fn revoke(&self, mut revocable: Vec<NamedToken>, mut looked: Instant) -> bool {
        let until = Instant::now() + REVOKES_TAKE;
        let mut sent = false;
        for orphan in revocable.clone() {
            let Some(id) = &orphan.id else { continue };
            let left = until.saturating_duration_since(Instant::now());
            // Where ids come back, one that the list had a while ago may be a stranger's by now.
            let wait = if self.client.declaration().reuses_ids() { left.min(MAX_WAIT) } else { left };
            let caller = self.entry.caller("sweep revokes", Urgency::Soon);
            let places = self.client.take_places(&caller, 1, wait).await;
            let Some(mut places) = places.ok().filter(|_| !left.is_zero()) else { break };
            // While it waited, its object may have come back.
            if looked.elapsed() > LOOK_COUNTS {
                looked = Instant::now();
                let Ok(still) = self.look_again().await else { break };
                revocable = still;
            }
            if !revocable.contains(&orphan) {
                continue;
            }
            let answer = self.client.revoke(id.as_str(), &mut places).await;
            let name = &orphan.name;
            tracing::info!(%id, name, ok = answer.is_ok(), "a token without an owner is revoked");
            match answer {
                // It concerns all of them.
                Err(
                    ServiceError::Throttled { .. }
                    | ServiceError::Retry { .. }
                    | ServiceError::Refused { credential: true, .. },
                ) => break,
                Ok(_) | Err(_) => sent = true,
            }
        }
        sent
    }
}

/// Only a later list without them counts as proof.
async fn forget_gone(client: &ServiceClient, places: &mut Places, found: &mut Findings) {
    if let (Ok(listing), Some(ownerless)) = (client.list(places).await, &mut found.ownerless) {
        let listed: HashSet<Option<TokenId>> = listing.rows.iter().map(|row| TokenId::new(row.id.as_str())).collect();
        ownerless.retain(|orphan| listed.contains(&orphan.id));
    }
}

async fn report(
    service: &ServiceObject,
    found: &Findings,
    renamed: u32,
    recorded: &[Orphan],
    ctx: &Shared,
) -> Result<bool, PassError> {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let now = ctx.clock.now();
    let time: Time = now.time();
    let since = |id: &TokenId| recorded.iter().find(|known| known.id == *id).and_then(|known| known.since_time);
    let orphan = |orphan: &NamedToken| {
        let id = orphan.id.clone()?;
        let since = since(&id).unwrap_or(now.stamp());
        Some(Orphan::new(id, &orphan.name, since))
    };
    let last_sweep = LastSweep {
        time,
        managed: found.managed,
        pending_revocation: found.pending,
        suspected: count(found.suspects.len()),
        disputed: found.disputed,
        unseen: found.unseen,
        renamed: Some(renamed).filter(|count| *count > 0),
        orphaned: found.ownerless.as_ref().map(|ownerless| count(ownerless.len())),
        orphans: found.ownerless.iter().flatten().filter_map(orphan).take(MAX_ORPHANS).collect(),
    };
    if !last_sweep.orphans.is_empty() {
        let ids: Vec<&str> = last_sweep.orphans.iter().map(|orphan| orphan.id.as_str()).collect();
        tracing::warn!(
            service = service.key.logged(),
            orphaned = last_sweep.orphaned,
            ?ids,
            "tokens without an object live at the service"
        );
    }
    if renamed > 0 {
        tracing::warn!(
            service = service.key.logged(),
            renamed,
            "the service lists tokens in use under other names than they were given, so a lost token cannot be found: if it puts a prefix before names, declare spec.operations.list.item.namePrefix"
        );
    }
    let status = TokenServiceStatus { last_sweep: Some(last_sweep), ..service.status.clone().unwrap_or_default() };
    Ok(service.write_status(&status, &ctx.client).await?.is_some())
}

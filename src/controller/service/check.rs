//! The reconciler of service objects. It checks three things: is the declaration right, is the credential accepted, and does
//! verify prove anything?

use std::time::Duration;

use kube::ResourceExt;
use kube::api::ListParams;
use kube::runtime::controller::Action;
use secrecy::SecretString;

use crate::api::FINALIZER;
use crate::api::artifact_token::ArtifactToken;
use crate::api::condition::{Condition, ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::token_service::{Capability, TokenServiceStatus};
use crate::controller::error::PassError;
use crate::controller::registry::{Key, ServiceEntry};
use crate::controller::service::load::load;
use crate::controller::service::object::ServiceObject;
use crate::controller::service::sweep::sweep;
use crate::controller::shared::Shared;
use crate::rotation::desired::Halt;
use crate::rotation::service_review::Judgement;
use crate::service::client::answers::VerifyAnswer;
use crate::service::client::{Places, ServiceClient};
use crate::service::declaration::Declaration;
use crate::service::errors::ServiceError;

/// How soon a service that does not answer is asked again.
const NOT_READY_LOOK: Duration = Duration::from_secs(15);
/// How often, at least, a service that a person must fix is checked again.
const STALLED_LOOK: Duration = Duration::from_secs(300);
/// How soon a service is checked again while its deletion waits for tokens.
const DELETION_LOOK: Duration = Duration::from_secs(2);
/// How soon a service is checked again while its tokens are under review: a review also ends by time.
const REVIEW_LOOK: Duration = Duration::from_secs(60);
/// The calls of one check: verify without a token, verify with a wrong token, list.
const CHECK_CALLS: u32 = 3;
/// If the rate limit asks for a longer wait, the check is put off. It is worth a long wait: without it no token is generated.
const MAX_WAIT: Duration = Duration::from_secs(120);
/// The most objects that a message names.
const MAX_NAMED: usize = 5;
/// Why the finalizer stays on a shared service when this operator cannot see all objects that may use it.
const UNSEEN: &str = "deletion waits: this operator may not list the ArtifactTokens of all namespaces, so it cannot know whether \
     tokens of this service live: allow its account that (verb list, without a namespace)";
/// A token that no service has issued.
const WRONG_TOKEN: &str = "artifact-token-operator.this-token-was-never-issued";

/// Checks one service object and records the result.
///
/// # Errors
/// When the API server does not answer.
pub(crate) async fn check(service: ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
    let (key, uid) = (service.key.clone(), service.uid());
    if service.meta.deletion_timestamp.is_some() {
        return delete_when_unused(service, ctx).await;
    }
    if !ctx.services.take_stale(&key) && unchanged(&service, ctx.services.get_object(&key, &uid).as_deref()) {
        return ready(&service, ctx).await;
    }
    let checked = check_now(service, ctx).await;
    if checked.is_err() {
        // The change of its Secret that was noted before is not handled yet.
        ctx.services.set_stale(&key);
    }
    checked
}

async fn check_now(mut service: ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
    let known = ctx.services.get_object(&service.key, &service.uid());
    if let Some(known) = known.filter(|known| known.allowed != service.allowed) {
        // Withdrawing a permission takes effect at once, before the service answers.
        ctx.services.put(ServiceEntry { allowed: service.allowed.clone(), ..(*known).clone() });
    }
    service.add_finalizer(&ctx.client).await?;
    let mut entry = load(&service, ctx).await?;
    let doubted = ctx.services.take_doubt(&service.key);
    let known = ctx.services.get_object(&service.key, &entry.uid);
    // A fault that this process found is newer than a cached status that still says Ready.
    let halted = known.as_ref().is_some_and(|known| known.halt.is_some());
    // A success that this process found is newer than a cached status that does not say so yet.
    let found = known.as_ref().is_some_and(|known| same(known, &entry)) || known_ready(&service, &entry);
    if entry.halt.is_none() && (doubted || halted || !found) {
        if known.is_none() {
            // While the service is asked, its tokens show what they wait for.
            let halt = standing_halt(&service, &entry);
            ctx.services.put(ServiceEntry { halt, ..entry.clone() });
        }
        entry.halt = match ask(&entry).await {
            Ok(halt) => halt,
            Err(after) => {
                ctx.services.put_off(&service.key, doubted);
                return Ok(Action::requeue(after));
            }
        };
    }
    if entry.halt.is_none() {
        entry.halt = review(&service, &entry, ctx);
    }
    let halt = entry.halt.clone();
    update_status(&service, &entry, ctx).await?;
    ctx.services.put(entry);
    match halt {
        // The event of the status write triggers the next check, which sweeps if it is time.
        None => ready(&service, ctx).await,
        Some(halt) if halt.stalled => Ok(Action::requeue(STALLED_LOOK)),
        Some(_) => Ok(Action::requeue(NOT_READY_LOOK)),
    }
}

/// P20: a credential other than the one that generated the tokens may belong to another account. The tokens show whether it
/// does: the service accepts them or refuses them.
fn review(service: &ServiceObject, entry: &ServiceEntry, ctx: &Shared) -> Option<Halt> {
    let status = service.status.as_ref()?;
    if status.credentials_revision.as_ref().is_some_and(|known| *known != entry.revision) {
        ctx.services.review(entry, ctx.clock.now().earliest);
    }
    ctx.services.settle(&entry.key, ctx.clock.now().earliest);
    if ctx.services.judgement(&entry.key) != Some(Some(Judgement::Doubtful)) {
        return None;
    }
    let shown = status.conditions.iter().find(|condition| condition.reason == Reason::OriginDoubtful);
    let replace = service.spec.revoke_issued_before;
    if shown.is_some_and(|shown| replace.is_some_and(|replace| replace > shown.last_transition_time)) {
        ctx.services.trust(&entry.key);
        return None;
    }
    let message = "since the credential changed the service refuses most tokens of it: is it another account's, or another place? \
                   No new token is generated for that. Put the right credential into the Secret of spec.credentials; or, if all tokens \
                   are to be replaced, set spec.revokeIssuedBefore to now";
    Some(Halt::stalled(Reason::OriginDoubtful, message))
}

/// Sweeps a ready service now and then.
async fn ready(service: &ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
    let known = ctx.services.get_object(&service.key, &service.uid());
    let Some(entry) = known else { return Ok(Action::await_change()) };
    let swept = sweep(service, &entry, ctx).await?;
    let open = ctx.services.judgement(&service.key) == Some(None);
    Ok(if open { Action::requeue(REVIEW_LOOK) } else { swept })
}

/// Whether both are the same object with the same Secrets.
fn same(known: &ServiceEntry, entry: &ServiceEntry) -> bool {
    (&known.uid, known.generation, &known.revision) == (&entry.uid, entry.generation, &entry.revision)
}

/// Whether the service was already found ready in its present state. The event of our own status write is no reason to read its
/// Secrets again.
fn unchanged(service: &ServiceObject, known: Option<&ServiceEntry>) -> bool {
    known.is_some_and(|known| {
        known.halt.is_none()
            && service.uid() == known.uid
            && service.generation() == known.generation
            && known_ready(service, known)
    })
}

/// Whether the status says that the service was ready with these very Secrets. Then it is not asked again after a restart.
fn known_ready(service: &ServiceObject, entry: &ServiceEntry) -> bool {
    let Some(status) = &service.status else { return false };
    let ready =
        |condition: &Condition| condition.type_ == ConditionType::Ready && condition.status == ConditionStatus::True;
    status.observed_generation == Some(entry.generation)
        && status.conditions.iter().any(ready)
        && status.credentials_revision.as_ref() == Some(&entry.revision)
}

/// Asks the service: does verify refuse a request without a valid token, and is the credential accepted?
///
/// # Errors
/// With the wait that the rate limit asks for, if that is too long. It says nothing about the service.
async fn ask(entry: &ServiceEntry) -> Result<Option<Halt>, Duration> {
    let Some(client) = &entry.client else { return Ok(None) };
    let mut places = client.take_places(CHECK_CALLS, MAX_WAIT).await?;
    if let Some(halt) = ask_verify(client, &mut places).await {
        return Ok(Some(halt));
    }
    if !client.declaration().can(Capability::List) {
        return Ok(None);
    }
    let answer = client.list(&mut places).await;
    Ok(answer.err().map(|error| not_ready(&error, "list")))
}

async fn ask_verify(client: &ServiceClient, places: &mut Places) -> Option<Halt> {
    let wrong = SecretString::from(WRONG_TOKEN);
    for (token, who) in [(None, "without a token"), (Some(&wrong), "with a token that was never issued")] {
        match client.verify(token, places).await {
            Ok(VerifyAnswer::Refused) => {}
            Ok(VerifyAnswer::Accepted) => {
                let message = format!(
                    "the declared verify request is accepted {who}, so it proves nothing: declare one in operations.verify \
                     that needs a valid token, or a condition on the body in accepted.body"
                );
                return Some(Halt::stalled(Reason::VerifyProvesNothing, message));
            }
            Err(error) => return Some(not_ready(&error, "verify")),
        }
    }
    None
}

fn not_ready(error: &ServiceError, operation: &str) -> Halt {
    match error {
        ServiceError::Refused { credential: true, .. } => Halt::stalled(
            Reason::CredentialRejected,
            format!("{error}: put a valid credential into the Secret of spec.credentials; it is noticed at once"),
        ),
        ServiceError::Refused { .. } => {
            Halt::stalled(Reason::InvalidSpec, format!("{operation}: {error}: check spec.baseURL and spec.operations"))
        }
        ServiceError::Retry { .. } | ServiceError::Throttled { .. } | ServiceError::Unknown { .. } => {
            Halt::passing(Reason::ServiceNotReady, format!("{operation}: {error}; asked again every 15 s"))
        }
    }
}

/// Lets the deletion of a service object finish when no object with tokens needs it any more. First it stops new tokens, then a
/// live read shows which objects still have some.
async fn delete_when_unused(mut service: ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
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

async fn update_status(service: &ServiceObject, entry: &ServiceEntry, ctx: &Shared) -> Result<(), PassError> {
    let old = service.status.clone().unwrap_or_default();
    let status = TokenServiceStatus {
        observed_generation: Some(entry.generation),
        conditions: conditions(entry, &old.conditions, ctx),
        capabilities: entry.declaration.as_ref().map(Declaration::capabilities).unwrap_or_default(),
        credentials_revision: if entry.halt.is_none() && ctx.services.trusts(&entry.key) {
            Some(entry.revision.clone())
        } else {
            // Keep the revision with which the tokens were seen to work.
            old.credentials_revision.clone()
        },
        last_sweep: old.last_sweep.clone(),
    };
    if status == old {
        return Ok(());
    }
    service.write_status(&status, &ctx.client).await
}

fn conditions(entry: &ServiceEntry, old: &[Condition], ctx: &Shared) -> Vec<Condition> {
    let now = ctx.clock.now().latest;
    let condition = |type_, status, reason, message: &str| {
        let before = old.iter().find(|before| before.type_ == type_ && before.status == status);
        Condition {
            type_,
            status,
            reason,
            message: message.chars().take(1024).collect(),
            observed_generation: Some(entry.generation),
            last_transition_time: before.map_or(now, |before| before.last_transition_time),
        }
    };
    let (ready, abnormal) = (ConditionType::Ready, ConditionStatus::True);
    match &entry.halt {
        None => vec![condition(
            ready,
            ConditionStatus::True,
            Reason::CredentialsAccepted,
            "the credential is accepted, and verify refuses a wrong token",
        )],
        Some(halt) => {
            let type_ = if halt.stalled { ConditionType::Stalled } else { ConditionType::Reconciling };
            vec![
                condition(ready, ConditionStatus::False, halt.reason, &halt.message),
                condition(type_, abnormal, halt.reason, &halt.message),
            ]
        }
    }
}

/// What the status says about the readiness of a service, before the service is asked again.
pub(crate) fn standing_halt(service: &ServiceObject, entry: &ServiceEntry) -> Option<Halt> {
    if known_ready(service, entry) {
        return None;
    }
    let message = format!("the {} is being checked", entry.key);
    Some(Halt::passing(Reason::ServiceNotReady, message))
}

//! The reconciler of service objects: is the declaration right, is the credential accepted, does verify prove anything?

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

/// A service that does not answer is asked again after this time.
const NOT_READY_LOOK: Duration = Duration::from_secs(15);
/// What a person must change is looked at again at least this often.
const STALLED_LOOK: Duration = Duration::from_secs(300);
/// While its deletion waits for tokens, it is looked at again after this time.
const DELETION_LOOK: Duration = Duration::from_secs(2);
/// While its tokens are under review, it is looked at again after this time: a review ends by time, too.
const REVIEW_LOOK: Duration = Duration::from_secs(60);
/// Calls of a check: verify without a token, verify with a wrong one, list.
const CHECK_CALLS: u32 = 3;
/// A longer wait for the rate limit puts the check off. Its answer is worth a wait: without it no token is generated.
const MAX_WAIT: Duration = Duration::from_secs(120);
/// Objects that a message names at most.
const MOST_NAMED: usize = 5;
/// Why a shared service is not let go by an operator that does not see everybody who may need it.
const UNSEEN: &str = "deletion waits: this operator may not list the ArtifactTokens of all namespaces, so it cannot know whether \
     tokens of this service live: allow its account that (verb list, without a namespace)";
/// A token that no service has issued.
const WRONG_TOKEN: &str = "artifact-token-operator.this-token-was-never-issued";

/// Checks one service object and records what was found.
///
/// # Errors
/// When the API server does not answer.
pub(crate) async fn check(service: ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
    let (key, uid) = (service.key.clone(), service.uid());
    if service.meta.deletion_timestamp.is_some() {
        return end(service, ctx).await;
    }
    if !ctx.services.take_stale(&key) && unchanged(&service, ctx.services.get_object(&key, &uid).as_deref()) {
        return ready(&service, ctx).await;
    }
    let checked = check_now(service, ctx).await;
    if checked.is_err() {
        // What was taken note of is not done yet.
        ctx.services.set_stale(&key);
    }
    checked
}

async fn check_now(mut service: ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
    let known = ctx.services.get_object(&service.key, &service.uid());
    if let Some(known) = known.filter(|known| known.allowed != service.allowed) {
        // A permission that is taken away does not wait until the service answers.
        ctx.services.put(ServiceEntry { allowed: service.allowed.clone(), ..(*known).clone() });
    }
    service.hold(&ctx.client).await.map_err(|source| failed("the service object", source))?;
    let mut entry = load(&service, ctx).await?;
    let doubted = ctx.services.take_doubt(&service.key);
    let known = ctx.services.get_object(&service.key, &entry.uid);
    // What this process found wrong is newer than a cached status that still says Ready.
    let halted = known.as_ref().is_some_and(|known| known.halt.is_some());
    // And what it found right is newer than a cached status that does not say so yet.
    let found = known.as_ref().is_some_and(|known| same(known, &entry)) || known_ready(&service, &entry);
    if entry.halt.is_none() && (doubted || halted || !found) {
        if known.is_none() {
            // Its tokens are told what they wait for while it is asked.
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
    tell(&service, &entry, ctx).await?;
    ctx.services.put(entry);
    match halt {
        // The event of the status write brings the next look, which sweeps if it is time.
        None => ready(&service, ctx).await,
        Some(halt) if halt.stalled => Ok(Action::requeue(STALLED_LOOK)),
        Some(_) => Ok(Action::requeue(NOT_READY_LOOK)),
    }
}

/// P20: another credential than that with which its tokens were made may be another account's. Whether it is, they say.
fn review(service: &ServiceObject, entry: &ServiceEntry, ctx: &Shared) -> Option<Halt> {
    let status = service.status.as_ref()?;
    if status.credentials_revision.as_ref().is_some_and(|known| *known != entry.revision) {
        ctx.services.review(entry, ctx.clock.now().earliest);
    }
    ctx.services.settle(&entry.key, ctx.clock.now().earliest);
    if ctx.services.judgement(&entry.key) != Some(Some(Judgement::Doubtful)) {
        return None;
    }
    let told = status.conditions.iter().find(|condition| condition.reason == Reason::OriginDoubtful);
    let replace = service.spec.revoke_issued_before;
    if told.is_some_and(|told| replace.is_some_and(|replace| replace > told.last_transition_time)) {
        ctx.services.trust(&entry.key);
        return None;
    }
    let message = "since the credential changed the service refuses most tokens of it: is it another account's, or another place? \
                   No token is made anew for that. Put the right credential into the Secret of spec.credentials; or, if all tokens \
                   are to be replaced, set spec.revokeIssuedBefore to now";
    Some(Halt::stalled(Reason::OriginDoubtful, message))
}

/// All is well: it is swept now and then.
async fn ready(service: &ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
    let known = ctx.services.get_object(&service.key, &service.uid());
    let Some(entry) = known else { return Ok(Action::await_change()) };
    let swept = sweep(service, &entry, ctx).await?;
    let open = ctx.services.judgement(&service.key) == Some(None);
    Ok(if open { Action::requeue(REVIEW_LOOK) } else { swept })
}

/// The same object with the same Secrets.
fn same(known: &ServiceEntry, entry: &ServiceEntry) -> bool {
    (&known.uid, known.generation, &known.revision) == (&entry.uid, entry.generation, &entry.revision)
}

/// It was found ready as it is: an event of our own status write is no reason to read its Secrets again.
fn unchanged(service: &ServiceObject, known: Option<&ServiceEntry>) -> bool {
    known.is_some_and(|known| {
        known.halt.is_none()
            && service.uid() == known.uid
            && service.generation() == known.generation
            && known_ready(service, known)
    })
}

/// After a restart a service that was found ready with these very Secrets is not asked again.
fn known_ready(service: &ServiceObject, entry: &ServiceEntry) -> bool {
    let Some(status) = &service.status else { return false };
    let ready =
        |condition: &Condition| condition.type_ == ConditionType::Ready && condition.status == ConditionStatus::True;
    status.observed_generation == Some(entry.generation)
        && status.conditions.iter().any(ready)
        && status.credentials_revision.as_ref() == Some(&entry.revision)
}

/// Asks the service: does verify refuse somebody without a token, and is the credential accepted?
///
/// # Errors
/// With the wait, where the rate limit has no room in time: that says nothing about the service.
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

/// The service object goes when no object with tokens needs it any more: by a live read, after no new token of it is let begin.
async fn end(mut service: ServiceObject, ctx: &Shared) -> Result<Action, PassError> {
    let mut entry = load(&service, ctx).await?;
    let stuck = entry.halt.take().filter(|_| entry.client.is_none());
    let message =
        format!("the {} is being deleted; it goes when no ArtifactToken has tokens of it: delete these", entry.key);
    entry.halt = Some(Halt::stalled(Reason::Deleting, message));
    ctx.services.put(entry.clone());
    let (users, all) = users(&entry.key, ctx).await?;
    if !users.is_empty() || !all {
        let message = if users.is_empty() { UNSEEN.to_owned() } else { waits(&users, stuck.as_ref()) };
        entry.halt = Some(Halt::stalled(Reason::Deleting, message));
        tell(&service, &entry, ctx).await?;
        return Ok(Action::requeue(DELETION_LOOK));
    }
    service.let_go(&ctx.client).await.map_err(|source| failed("the service object", source))?;
    // The event of its deletion takes it out of the registry: others may hold it still.
    Ok(Action::await_change())
}

fn waits(users: &[String], stuck: Option<&Halt>) -> String {
    let named = users.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if users.len() > MOST_NAMED { ", ..." } else { "" };
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

/// The objects that have tokens of this service, by a live read, and whether these are all.
async fn users(key: &Key, ctx: &Shared) -> Result<(Vec<String>, bool), PassError> {
    let (tokens, all) = match &key.namespace {
        Some(namespace) => {
            let read = ctx.tokens(namespace).list(&ListParams::default()).await;
            (read.map_err(|source| failed("the ArtifactTokens of a service", source))?.items, true)
        }
        None => ctx.all_tokens().await?,
    };
    let needs =
        |token: &&ArtifactToken| Key::of(token) == *key && token.finalizers().iter().any(|name| name == FINALIZER);
    let name = |token: &ArtifactToken| format!("{}/{}", token.namespace().unwrap_or_default(), token.name_any());
    Ok((tokens.iter().filter(needs).map(name).collect(), all))
}

async fn tell(service: &ServiceObject, entry: &ServiceEntry, ctx: &Shared) -> Result<(), PassError> {
    let old = service.status.clone().unwrap_or_default();
    let status = TokenServiceStatus {
        observed_generation: Some(entry.generation),
        conditions: conditions(entry, &old.conditions, ctx),
        capabilities: entry.declaration.as_ref().map(Declaration::capabilities).unwrap_or_default(),
        credentials_revision: if entry.halt.is_none() && ctx.services.trusts(&entry.key) {
            Some(entry.revision.clone())
        } else {
            // With which its tokens were seen to work.
            old.credentials_revision.clone()
        },
        last_sweep: old.last_sweep.clone(),
    };
    if status == old {
        return Ok(());
    }
    match service.write_status(&status, &ctx.client).await {
        // Somebody changed it meanwhile: the event of that change brings the next check.
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => Ok(()),
        answer => answer.map_err(|source| failed("the status of a service object", source)),
    }
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

fn failed(what: &'static str, source: kube::Error) -> PassError {
    PassError::read(what, &source)
}

/// What is known of a service's readiness before it is asked again: what its status says.
pub(crate) fn standing_halt(service: &ServiceObject, entry: &ServiceEntry) -> Option<Halt> {
    if known_ready(service, entry) {
        return None;
    }
    let message = format!("the {} is being checked", entry.key);
    Some(Halt::passing(Reason::ServiceNotReady, message))
}

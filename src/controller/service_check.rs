//! The reconciler of service objects: is the declaration right, is the credential accepted, does verify prove anything?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::{Api, Resource, ResourceExt};
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::api::artifact_token::ArtifactToken;
use crate::api::condition::{Condition, ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::token_service::{Capability, TokenService, TokenServiceStatus};
use crate::api::{FIELD_MANAGER, SERVICE_FINALIZER};
use crate::controller::context::Context;
use crate::controller::perform::PassError;
use crate::controller::services::{Key, ServiceEntry};
use crate::rotation::desired::Halt;
use crate::service::declaration::Declaration;
use crate::service::engine::{Service, Verdict};
use crate::service::errors::ServiceError;

/// A service that does not answer is asked again after this time.
const NOT_READY_LOOK: Duration = Duration::from_secs(15);
/// What a person must change is looked at again at least this often.
const STALLED_LOOK: Duration = Duration::from_secs(300);
/// A token that no service has issued.
const WRONG_TOKEN: &str = "artifact-token-operator.this-token-was-never-issued";

/// Checks one service object and records what was found.
///
/// # Errors
/// When the API server does not answer.
pub async fn check(service: Arc<TokenService>, ctx: &Context) -> Result<Action, PassError> {
    let key = key(&service);
    if service.meta().deletion_timestamp.is_some() {
        return end(&service, key, ctx).await;
    }
    if !ctx.services.take_stale(&key) && unchanged(&service, ctx.services.get(&key.0, &key.1).as_deref()) {
        return Ok(Action::await_change());
    }
    let checked = check_now(&service, key.clone(), ctx).await;
    if checked.is_err() {
        // What was taken note of is not done yet.
        ctx.services.set_stale(key);
    }
    checked
}

async fn check_now(service: &TokenService, key: Key, ctx: &Context) -> Result<Action, PassError> {
    let mut service = service.clone();
    if !service.finalizers().iter().any(|name| name == SERVICE_FINALIZER) {
        let mut names = service.finalizers().to_vec();
        names.push(SERVICE_FINALIZER.to_owned());
        service = patch_finalizers(&service, names, ctx).await?;
    }
    let mut entry = load(&service, ctx).await?;
    let (doubted, known) = (ctx.services.take_doubt(&key), ctx.services.get(&key.0, &key.1));
    // What this process found wrong is newer than a cached status that still says Ready.
    let halted = known.as_ref().is_some_and(|known| known.halt.is_some());
    if entry.halt.is_none() && (doubted || halted || !known_ready(&service, &entry)) {
        if known.is_none() {
            // Its tokens are told what they wait for while it is asked.
            let halt = standing_halt(&service, &entry);
            ctx.services.put(key.clone(), ServiceEntry { halt, ..entry.clone() });
        }
        entry.halt = probe(&entry, ctx).await;
    }
    let halt = entry.halt.clone();
    tell(&service, &entry, ctx).await?;
    ctx.services.put(key, entry);
    Ok(match halt {
        None => Action::await_change(),
        Some(halt) if halt.stalled => Action::requeue(STALLED_LOOK),
        Some(_) => Action::requeue(NOT_READY_LOOK),
    })
}

/// What can be known of a service without asking it.
///
/// # Errors
/// When the API server does not answer.
pub async fn load(service: &TokenService, ctx: &Context) -> Result<ServiceEntry, PassError> {
    let key = key(service);
    let old = ctx.services.get(&key.0, &key.1);
    let mut entry = ServiceEntry {
        name: key.1.clone(),
        uid: service.uid().unwrap_or_default(),
        generation: service.meta().generation.unwrap_or_default(),
        spec: service.spec.clone(),
        origin: String::new(),
        declaration: None,
        service: None,
        halt: None,
        revision: String::new(),
    };
    let declaration = match Declaration::check(&service.spec) {
        Ok(declaration) => declaration,
        Err(problem) => {
            entry.halt = Some(Halt::stalled(problem.reason(), problem.to_string()));
            return Ok(entry);
        }
    };
    entry.origin = declaration.origin().to_owned();
    let (credentials, versions) = credentials(service, &key.0, ctx).await?;
    let bundle = bundle(service, &key.0, ctx).await?;
    entry.revision = revision(&versions, bundle.as_deref());
    let limit = ctx.services.limit(&key, service.spec.limits.requests_per_minute);
    match Service::new(declaration.clone(), credentials, bundle, limit) {
        Ok(client) => entry.service = Some(client),
        Err(problem) => {
            entry.halt = Some(Halt::stalled(Reason::CredentialMissing, problem.to_string()));
            // Living tokens are still revoked with the last good credential.
            entry.service = old.filter(|old| old.uid == entry.uid).and_then(|old| old.service.clone());
        }
    }
    entry.declaration = Some(declaration);
    Ok(entry)
}

/// It was found ready as it is: an event of our own status write is no reason to read its Secrets again.
fn unchanged(service: &TokenService, known: Option<&ServiceEntry>) -> bool {
    known.is_some_and(|known| {
        known.halt.is_none()
            && service.uid().as_ref() == Some(&known.uid)
            && service.meta().generation == Some(known.generation)
            && known_ready(service, known)
    })
}

/// After a restart a service that was found ready with these very Secrets is not asked again.
fn known_ready(service: &TokenService, entry: &ServiceEntry) -> bool {
    let Some(status) = &service.status else { return false };
    let ready =
        |condition: &Condition| condition.type_ == ConditionType::Ready && condition.status == ConditionStatus::True;
    status.observed_generation == Some(entry.generation)
        && status.conditions.iter().any(ready)
        && status.credentials_revision.as_ref() == Some(&entry.revision)
}

/// Asks the service: does verify refuse somebody without a token, and is the credential accepted?
async fn probe(entry: &ServiceEntry, ctx: &Context) -> Option<Halt> {
    let client = entry.service.as_ref()?;
    let wrong = SecretString::from(WRONG_TOKEN);
    for (token, who) in [(None, "without a token"), (Some(&wrong), "with a token that was never issued")] {
        let answer = client.verify(token).await;
        ctx.metrics.service_call("verify", answer.as_ref().err());
        match answer {
            Ok(Verdict::Refused) => {}
            Ok(Verdict::Accepted) => {
                let message = format!(
                    "the declared verify request is accepted {who}, so it proves nothing: declare one in operations.verify \
                     that needs a valid token, or a condition on the body in accepted.body"
                );
                return Some(Halt::stalled(Reason::VerifyProvesNothing, message));
            }
            Err(error) => return Some(not_ready(&error, "verify")),
        }
    }
    if !client.declaration().can(Capability::List) {
        return None;
    }
    let answer = client.list().await;
    ctx.metrics.service_call("list", answer.as_ref().err());
    answer.err().map(|error| not_ready(&error, "list"))
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
        ServiceError::Retry { .. } | ServiceError::Unknown { .. } => {
            Halt::passing(Reason::ServiceNotReady, format!("{operation}: {error}; asked again every 15 s"))
        }
    }
}

/// The service object goes when no object with tokens needs it any more: by a live read, after no new token of it is let begin.
async fn end(service: &TokenService, key: Key, ctx: &Context) -> Result<Action, PassError> {
    let mut entry = load(service, ctx).await?;
    let message =
        "the TokenService is being deleted; it goes when no ArtifactToken has tokens of it: delete these first";
    entry.halt = Some(Halt::stalled(Reason::Deleting, message));
    ctx.services.put(key.clone(), entry.clone());
    let read = ctx.tokens(&key.0).list(&ListParams::default()).await;
    let tokens = read.map_err(|source| failed("the ArtifactTokens of a service", source))?;
    let needs = |token: &&ArtifactToken| {
        token.spec.service_ref.name == key.1 && token.finalizers().iter().any(|name| name == crate::api::FINALIZER)
    };
    let needed = tokens.iter().filter(needs).count();
    if needed > 0 {
        let message = format!("deletion waits: {needed} ArtifactTokens have tokens of this service; delete them first");
        entry.halt = Some(Halt::stalled(Reason::Deleting, message));
        tell(service, &entry, ctx).await?;
        return Ok(Action::requeue(Duration::from_secs(2)));
    }
    let names = service.finalizers().iter().filter(|name| *name != SERVICE_FINALIZER).cloned().collect();
    patch_finalizers(service, names, ctx).await?;
    ctx.services.remove(&key);
    Ok(Action::await_change())
}

async fn tell(service: &TokenService, entry: &ServiceEntry, ctx: &Context) -> Result<(), PassError> {
    let old = service.status.clone().unwrap_or_default();
    let status = TokenServiceStatus {
        observed_generation: Some(entry.generation),
        conditions: conditions(entry, &old.conditions, ctx),
        capabilities: entry.declaration.as_ref().map(Declaration::capabilities).unwrap_or_default(),
        credentials_revision: entry.halt.is_none().then(|| entry.revision.clone()),
    };
    if status == old {
        return Ok(());
    }
    let mut written = service.clone();
    written.status = Some(status);
    let api: Api<TokenService> = Api::namespaced(ctx.client.clone(), &service.namespace().unwrap_or_default());
    match api
        .replace_status(
            &service.name_any(),
            &PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() },
            &written,
        )
        .await
    {
        // Somebody changed it meanwhile: the event of that change brings the next check.
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => Ok(()),
        answer => answer.map(|_| ()).map_err(|source| failed("the TokenService's status", source)),
    }
}

fn conditions(entry: &ServiceEntry, old: &[Condition], ctx: &Context) -> Vec<Condition> {
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

async fn patch_finalizers(
    service: &TokenService,
    names: Vec<String>,
    ctx: &Context,
) -> Result<TokenService, PassError> {
    let patch = json!({"metadata": {"resourceVersion": service.resource_version(), "finalizers": names}});
    let api: Api<TokenService> = Api::namespaced(ctx.client.clone(), &service.namespace().unwrap_or_default());
    api.patch(
        &service.name_any(),
        &PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() },
        &Patch::Merge(patch),
    )
    .await
    .map_err(|source| failed("the TokenService", source))
}

/// The values that `spec.credentials` names, as far as they exist, and the versions of their Secrets.
async fn credentials(
    service: &TokenService,
    namespace: &str,
    ctx: &Context,
) -> Result<(BTreeMap<String, SecretString>, Vec<String>), PassError> {
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), namespace);
    let (mut values, mut versions) = (BTreeMap::new(), Vec::new());
    for (name, reference) in &service.spec.credentials {
        let read = api.get_opt(&reference.name).await;
        let Some(secret) = read.map_err(|source| failed("a credential's Secret", source))? else { continue };
        versions.push(format!("{name}:{}:{}", reference.name, secret.resource_version().unwrap_or_default()));
        let value = secret.data.as_ref().and_then(|data| data.get(&reference.key));
        // Editors and `kubectl create --from-file` leave a line break at the end that no service takes.
        let text =
            value.and_then(|value| std::str::from_utf8(&value.0).ok()).map(|text| text.trim_end_matches(['\r', '\n']));
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            values.insert(name.clone(), SecretString::from(text));
        }
    }
    Ok((values, versions))
}

async fn bundle(service: &TokenService, namespace: &str, ctx: &Context) -> Result<Option<Vec<u8>>, PassError> {
    let Some(reference) = &service.spec.connection.ca_bundle_ref else { return Ok(None) };
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), namespace);
    let map = api.get_opt(&reference.name).await.map_err(|source| failed("the CA bundle's ConfigMap", source))?;
    let text = map.and_then(|map| map.data?.remove(&reference.key)).unwrap_or_default();
    Ok(Some(text.into_bytes()))
}

fn revision(versions: &[String], bundle: Option<&[u8]>) -> String {
    let mut hash = Sha256::new();
    for version in versions {
        hash.update(version.as_bytes());
        hash.update([0]);
    }
    hash.update(bundle.unwrap_or_default());
    HEXLOWER.encode(&hash.finalize()[..8])
}

fn failed(what: &'static str, source: kube::Error) -> PassError {
    PassError::read(what, &source)
}

/// namespace and name.
pub fn key(service: &TokenService) -> Key {
    (service.namespace().unwrap_or_default(), service.name_any())
}

/// What is known of a service's readiness before it is asked again: what its status says.
pub fn standing_halt(service: &TokenService, entry: &ServiceEntry) -> Option<Halt> {
    if known_ready(service, entry) {
        return None;
    }
    let message = format!("the TokenService {} is being checked", entry.name);
    Some(Halt::passing(Reason::ServiceNotReady, message))
}

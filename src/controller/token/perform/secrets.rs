//! Reads and writes of the Secret. Every write is checked against the version that it was computed from (P4).

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::api::FIELD_MANAGER;
use crate::api::reason::Reason;
use crate::api::token_service::Capability;
use crate::controller::events;
use crate::controller::token::memory::Kind;
use crate::controller::token::pass::{Flow, Pass};
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Observed, SecretState};
use crate::secret::content::{self, DesiredSecret};
use crate::secret::formats::Facts;
use crate::secret::metadata::{self, MANAGED, Marks};
use crate::secret::patch;
use crate::service::client::Places;

use super::tokens::{LONGEST_WAIT, reason_of};

use crate::controller::error::PassError;

/// What the dry-run of a first write stands in for the token: as long as most are.
const PLACEHOLDER: &str = "placeholder-of-a-token-that-is-not-generated-yet";

/// What became of a write of the Secret.
enum Put {
    /// It is as written.
    Done(Box<Secret>),
    /// It was not written, for certain: another version is there.
    Conflict,
    /// It was not written, for certain, and will not be as things are.
    Denied(Halt),
    /// Nobody knows.
    Unknown(String),
}

impl Pass<'_> {
    /// A live read. A failure ends the pass, and the next one begins with a read.
    pub(in crate::controller) async fn read(&mut self) -> Result<(), PassError> {
        let api = self.ctx.secrets_in(&self.object.namespace().unwrap_or_default());
        let read = api.get_opt(&self.object.spec.secret.name).await;
        let secret = read.map_err(|source| PassError::read("the Secret", &source))?;
        self.verdict = None;
        self.saw(secret);
        Ok(())
    }

    /// P15. Also the live read of a rotation: the answer is the object as it is.
    pub(super) async fn preflight(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        if !self.has_room_at_service().await {
            return Ok(Flow::Continue);
        }
        let put = match &self.known.state {
            SecretState::Absent => self.dry_create().await,
            SecretState::Ours(_) | SecretState::Foreign(_) => self.dry_patch(observed).await,
        };
        match put {
            Put::Done(secret) => {
                self.went_well(Kind::Secret);
                let absent = self.known.state == SecretState::Absent;
                self.saw((!absent).then_some(*secret));
                self.preflight = true;
            }
            Put::Conflict => self.read().await?,
            Put::Denied(halt) => self.halt = Some(halt),
            Put::Unknown(what) => self.paused(Kind::Secret, Duration::ZERO, Reason::SecretUpdateFailed, &what),
        }
        Ok(Flow::Continue)
    }

    async fn dry_create(&self) -> Put {
        let value = SecretString::from(PLACEHOLDER);
        let marks = Marks { attempt: 1, token_id: Some("placeholder".into()), ..Marks::default() };
        match self.rendered(&value, &marks, None) {
            Ok(desired) => self.send(&desired, None, true).await,
            Err(halt) => Put::Denied(halt),
        }
    }

    /// Changes nothing, and is checked like a real write: admission, quota, rights, a namespace that ends.
    async fn dry_patch(&self, observed: &Observed) -> Put {
        let known = self.known.raw.as_ref().and_then(ResourceExt::resource_version);
        let remembered = self.memory.secret.as_ref().map(|seen| seen.version.clone());
        let recorded = observed.ledger.current.as_ref().map(|current| current.secret_resource_version.clone());
        let version = known.or(remembered).or(recorded).unwrap_or_default();
        let patch = json!({"metadata": {"resourceVersion": version, "labels": {MANAGED: "true"}}});
        let api = self.ctx.secrets_in(&self.object.namespace().unwrap_or_default());
        let params = params(true);
        outcome(api.patch(&self.object.spec.secret.name, &params, &Patch::Merge(patch)).await)
    }

    /// `limits.maximumLiveTokens`, where the service object has one.
    async fn has_room_at_service(&mut self) -> bool {
        let Some(entry) = self.service.clone() else { return true };
        let (Some(most), Some(service)) = (entry.spec.limits.maximum_live_tokens, entry.client.as_ref()) else {
            return true;
        };
        if !service.declaration().can(Capability::List) {
            return true;
        }
        match service.list(&mut Places::one_by_one(LONGEST_WAIT)).await {
            Ok(listing) if listing.rows.len() < usize::try_from(most).unwrap_or(usize::MAX) => true,
            Ok(listing) => {
                let message = format!(
                    "the service has {} live tokens and limits.maximumLiveTokens of the TokenService is {most}: revoke \
                     some there, or raise the limit",
                    listing.rows.len()
                );
                self.halt = Some(Halt::stalled(Reason::TokenLimitReached, message));
                false
            }
            Err(error) => {
                self.paused(Kind::Generate, error.retry_after(), reason_of(&error), &error.to_string());
                false
            }
        }
    }

    /// P5: our Secret without a token.
    pub(super) async fn shell(&mut self, fence: u32) -> Result<Flow, PassError> {
        let marks = Marks { fence, ..Marks::default() };
        let desired = content::shell(&self.object.spec.secret, &self.owner(), &marks);
        let put = self.send(&desired, None, false).await;
        self.took(put);
        Ok(Flow::Continue)
    }

    /// P4: the value in hand.
    pub(super) async fn update(&mut self, observed: &Observed) -> Result<Flow, PassError> {
        let Some(held) = &self.memory.held else { return Ok(Flow::Continue) };
        let Some(value) = &held.value else { return Ok(Flow::Continue) };
        let (attempt, id, expiration) = (held.attempt, value.id.clone(), value.expiration);
        let token = value.value.clone();
        let marks = Marks {
            attempt,
            token_id: Some(id.clone()),
            superseded: self.replaced(&id),
            fence: observed.secrets.fence(),
        };
        let desired = match self.rendered(&token, &marks, expiration) {
            Ok(desired) => desired,
            Err(halt) => return self.unrenderable(halt, observed).await,
        };
        // Noted before it is sent, and taken back only where it was refused for certain.
        let before = self.mark_sent(true);
        let put = self.send(&desired, self.known.raw.as_ref(), false).await;
        if matches!(put, Put::Conflict | Put::Denied(_)) {
            self.mark_sent(before);
        }
        let done = matches!(put, Put::Done(_));
        if done {
            self.memory.digest = Some((id, Sha256::digest(token.expose_secret().as_bytes()).into()));
        }
        let now = self.ctx.shared.clock.now().latest;
        if let Some(value) = self.memory.held.as_mut().and_then(|held| held.value.as_mut()) {
            value.published = done.then_some(now).or(value.published);
        }
        self.took(put);
        Ok(Flow::Continue)
    }

    /// Notes whether a publish of the value in hand may have reached the API server; says what was noted before.
    fn mark_sent(&mut self, sent: bool) -> bool {
        let value = self.memory.held.as_mut().and_then(|held| held.value.as_mut());
        value.is_some_and(|value| std::mem::replace(&mut value.sent, sent))
    }

    /// P10: the current token comes back, in a write that fences the failed one off.
    pub(super) async fn roll_back(&mut self, fence: u32) -> Result<Flow, PassError> {
        let Some(current) = self.ledger().current else { return Ok(Flow::Continue) };
        let Some(token) = self.memory.values.get(&current.id).cloned() else { return Ok(Flow::Continue) };
        let superseded = self.replaced(&current.id);
        let marks = Marks { attempt: current.attempt, token_id: Some(current.id), superseded, fence };
        let put = match self.rendered(&token, &marks, current.expiration_time) {
            Ok(desired) => self.send(&desired, self.known.raw.as_ref(), false).await,
            Err(halt) => Put::Denied(halt),
        };
        if matches!(put, Put::Done(_)) {
            let note = format!("attempt {} was put back, attempt {fence} was not accepted", current.attempt);
            events::warning(&self.ctx.shared, &self.object, Reason::RotationRolledBack, "RollBack", note).await;
        }
        self.took(put);
        Ok(Flow::Continue)
    }

    /// P5: a write that really changes the Secret, so that an older publish cannot land.
    pub(super) async fn raise_fence(&mut self, fence: u32) -> Result<Flow, PassError> {
        let Some(raw) = &self.known.raw else { return Ok(Flow::Continue) };
        let adopted = matches!(&self.known.state, SecretState::Ours(ours) if ours.predecessor.is_some());
        // A predecessor's numbers and ids mean nothing here; its token is in the ledger already.
        let marks = if adopted { Marks::default() } else { self.bounded(metadata::read_marks(raw)) };
        let marks = Marks { fence, ..marks };
        let version = raw.resource_version().unwrap_or_default();
        let patch = patch::marks_patch(&marks, &self.owner(), &version);
        let api = self.ctx.secrets_in(&self.object.namespace().unwrap_or_default());
        let params = params(false);
        let put = outcome(api.patch(&self.object.spec.secret.name, &params, &Patch::Merge(patch)).await);
        self.took(put);
        Ok(Flow::Continue)
    }

    /// The same token, as the spec wants it now.
    pub(super) async fn render(&mut self) -> Result<Flow, PassError> {
        let Some(raw) = self.known.raw.clone() else { return Ok(Flow::Continue) };
        let Some(token) = self.value_in(&raw) else { return Ok(Flow::Continue) };
        let marks = self.bounded(metadata::read_marks(&raw));
        let expiration = self.ledger().current.and_then(|current| current.expiration_time);
        let desired = self.rendered(&token, &marks, expiration);
        let drift = desired.as_ref().map(|desired| patch::drift(desired, &raw)).unwrap_or_default();
        let put = match desired {
            Ok(desired) => self.send(&desired, Some(&raw), false).await,
            Err(halt) => Put::Denied(halt),
        };
        let applied = self.object.status.as_ref().and_then(|status| status.observed_generation);
        let done = matches!(put, Put::Done(_));
        self.took(put);
        let rendered = matches!(&self.known.state, SecretState::Ours(ours) if ours.rendered);
        if done && !rendered {
            // A webhook or another controller: writing at once again would be a loop.
            let what = format!("another controller changes the Secret back: {}", drift.join(", "));
            self.paused(Kind::Secret, Duration::from_secs(30), Reason::SecretUpdateFailed, &what);
        } else if done && applied == self.object.metadata.generation {
            let note =
                format!("the Secret was changed by somebody else and is as the spec says again: {}", drift.join(", "));
            events::normal(&self.ctx.shared, &self.object, Reason::SecretDriftCorrected, "Render", note).await;
        }
        Ok(Flow::Continue)
    }

    /// Ours alone, and in the version that was read.
    pub(super) async fn delete_secret(&mut self) -> Result<Flow, PassError> {
        let Some(raw) = &self.known.raw else { return Ok(Flow::Continue) };
        let preconditions = Preconditions { uid: raw.uid(), resource_version: raw.resource_version() };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let api = self.ctx.secrets_in(&self.object.namespace().unwrap_or_default());
        match api.delete(&self.object.spec.secret.name, &params).await {
            Ok(_) => self.saw(None),
            Err(kube::Error::Api(status)) if status.is_not_found() => self.saw(None),
            Err(kube::Error::Api(status)) if status.is_conflict() => self.read().await?,
            Err(error) => {
                self.known.live = false;
                self.paused(Kind::Secret, Duration::ZERO, Reason::SecretUpdateFailed, &error_text(&error));
            }
        }
        Ok(Flow::Continue)
    }

    fn rendered(
        &self,
        token: &SecretString,
        marks: &Marks,
        expiration_time: Option<crate::api::time::Time>,
    ) -> Result<DesiredSecret, Halt> {
        let facts = Facts { token, id: marks.token_id.as_deref(), expiration_time };
        content::desired(&self.object.spec.secret, &self.owner(), marks, &facts)
            .map_err(|problem| Halt::stalled(Reason::InvalidSpec, problem.to_string()))
    }

    /// Ids that a publish of `id` leaves behind.
    fn replaced(&self, id: &str) -> Vec<String> {
        let ledger = self.ledger();
        let superseded = ledger.superseded.iter().map(|old| old.id.clone());
        let current = ledger.current.iter().map(|current| current.id.clone());
        superseded.chain(current).filter(|old| old != id).take(metadata::MAX_MARKED_IDS).collect()
    }

    async fn send(&self, desired: &DesiredSecret, current: Option<&Secret>, dry_run: bool) -> Put {
        let namespace = self.object.namespace().unwrap_or_default();
        let (api, name) = (self.ctx.secrets_in(&namespace), &self.object.spec.secret.name);
        match current {
            None => {
                let body = patch::create_body(desired, name, &namespace);
                let field_manager = Some(FIELD_MANAGER.to_owned());
                outcome(api.create(&PostParams { dry_run, field_manager }, &body).await)
            }
            Some(current) => {
                let body = Patch::Merge(patch::merge_patch(desired, current));
                outcome(api.patch(name, &params(dry_run), &body).await)
            }
        }
    }

    /// Takes note of a real write.
    fn took(&mut self, put: Put) {
        self.preflight = false;
        self.verdict = None;
        match put {
            Put::Done(secret) => {
                self.went_well(Kind::Secret);
                self.saw(Some(*secret));
            }
            Put::Conflict => self.known.live = false,
            Put::Denied(halt) => {
                self.known.live = false;
                self.paused(Kind::Secret, Duration::ZERO, halt.reason, &halt.message);
                self.halt = Some(halt);
            }
            Put::Unknown(what) => {
                self.known.live = false;
                self.paused(Kind::Secret, Duration::ZERO, Reason::SecretUpdateFailed, &what);
            }
        }
    }
}

fn params(dry_run: bool) -> PatchParams {
    PatchParams { dry_run, field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn outcome(answer: Result<Secret, kube::Error>) -> Put {
    let status = match answer {
        Ok(secret) => return Put::Done(Box::new(secret)),
        Err(kube::Error::Api(status)) => status,
        Err(error) => return Put::Unknown(error_text(&error)),
    };
    let ending =
        status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.reason == "NamespaceTerminating");
    let stalled = |reason, message: String| Put::Denied(Halt::stalled(reason, message));
    match status.code {
        409 | 404 if !ending => Put::Conflict,
        403 if ending => {
            stalled(Reason::NamespaceTerminating, "the namespace is being deleted: no token is generated in it".into())
        }
        403 if status.message.contains("exceeded quota") => stalled(
            Reason::QuotaExceeded,
            format!("{}: raise the quota, or delete Secrets that are not needed", status.message),
        ),
        403 => stalled(
            Reason::SecretWriteForbidden,
            format!("{}: allow the operator's account, or a policy's exception, to write this Secret", status.message),
        ),
        400 | 413 | 422 => {
            stalled(Reason::InvalidSpec, format!("the API server does not take the Secret: {}", status.message))
        }
        code => Put::Unknown(format!("the API server answered {code} to the write of the Secret")),
    }
}

/// What may be told of an error of the client: never a body.
fn error_text(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("the API server answered {} {}", status.code, status.reason),
        _ => "the API server did not answer the write of the Secret".to_owned(),
    }
}

//! What a pass knows, and the only places where that becomes void.
//!
//! "A read must be newer than the fact it rests on" is the heart of the protocol. So nothing here can be set from outside: four
//! changes void what was known before, and each says why ([`Pass::secret_read`], [`Pass::secret_written`], [`Pass::fact_recorded`],
//! [`Pass::overtaken`]). What is found out beside them only adds to it.

mod look;
mod tell;

use std::sync::Arc;
use std::time::Instant;

use k8s_openapi::api::core::v1::Secret;
use kube::{Resource, ResourceExt};
use secrecy::SecretString;

use crate::api::artifact_token::ArtifactToken;
use crate::api::ledger::Ledger;
use crate::controller::finalizer_time;
use crate::controller::registry::{Key, ServiceEntry};
use crate::controller::token::context::Context;
use crate::controller::token::memory::retries::StepKind;
use crate::controller::token::memory::{Memory, SeenSecret};
use crate::controller::token::secret_state::{self};
use crate::controller::token::validate::Validated;
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Ours, Row, SecretState, Verdict};
use crate::secret::metadata::Owner;

/// One pass.
pub(crate) struct Pass<'a> {
    ctx: &'a Context,
    memory: &'a mut Memory,
    /// The object, as fresh as known.
    object: Arc<ArtifactToken>,
    owner: Owner,
    validated: Validated,
    /// The service as it was checked last.
    service: Option<Arc<ServiceEntry>>,
    /// Why the object's namespace may have no new token of the service, if so.
    forbidden: Option<Halt>,
    secret: KnownSecret,
    /// The service's list, once this pass asked for it.
    listing: Option<Vec<Row>>,
    /// The write of the Secret was dry-run against `secret`.
    preflight: bool,
    /// What the service said of what `secret` holds.
    verdict: Option<Verdict>,
    /// What was found that forbids a new token.
    halt: Option<Halt>,
}

/// The Secret as a pass knows it.
#[derive(Debug, Default)]
struct KnownSecret {
    /// Read from the API server in this pass, and after the list if there was one.
    live: bool,
    /// What the decision needs of it.
    state: SecretState,
    /// The Secret itself, once read.
    raw: Option<Secret>,
    /// Only the service can tell whether it still holds the current token.
    doubtful: bool,
}

/// How a step left the pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Decide again.
    Continue,
    /// The object is gone.
    Gone,
}

/// A fact that now stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact<'a> {
    /// The outcome of what the Secret holds: verified.
    Verified,
    /// An attempt failed.
    Failed,
    /// The token with this id is dead.
    Revoked(&'a str),
    /// Something that no read was about.
    Other,
}

impl<'a> Pass<'a> {
    /// A pass that knows the object, and nothing of its Secret and its tokens yet.
    pub(crate) fn new(ctx: &'a Context, memory: &'a mut Memory, object: Arc<ArtifactToken>) -> Self {
        let service = ctx.shared.services.get(&Key::of(&object));
        let forbidden = service.as_deref().and_then(|service| ctx.shared.forbidden(service, &object));
        // Do not reveal anything about a service to a namespace that may not use it, and do not use the service's credential for an
        // object without our finalizer: that has no token there.
        let begun = object.finalizers().iter().any(|name| name == crate::api::FINALIZER);
        let service = service.filter(|_| begun || forbidden.is_none());
        let validated = Validated::of(&object, service.as_deref(), &ctx.shared.settings);
        let uid = object.meta().uid.clone().unwrap_or_default();
        let owner = Owner { kind: "ArtifactToken".to_owned(), name: object.name_any(), uid };
        Self {
            ctx,
            memory,
            object,
            owner,
            validated,
            service,
            forbidden,
            secret: KnownSecret::default(),
            listing: None,
            preflight: false,
            verdict: None,
            halt: None,
        }
    }

    // The changes that void what was known before.

    /// The Secret was read live, or seen to be absent. What the service said was about bytes that were read before.
    pub(crate) fn secret_read(&mut self, secret: Option<Secret>) {
        self.verdict = None;
        self.note_secret(secret);
    }

    /// A write of the Secret was sent; `None` where it was not taken, or nobody knows. The dry-run and the verdict were about what
    /// was there before.
    pub(crate) fn secret_written(&mut self, written: Option<Secret>) {
        self.preflight = false;
        self.verdict = None;
        match written {
            Some(secret) => self.note_secret(Some(secret)),
            None => self.secret.live = false,
        }
    }

    /// A fact was recorded. Reads from before the record of a verified token must not justify a revoke of its predecessor, and a list
    /// from before a revoke still shows the dead token.
    pub(crate) fn fact_recorded(&mut self, fact: Fact<'_>) {
        match fact {
            Fact::Verified => {
                self.verdict = None;
                self.secret.live = false;
            }
            Fact::Failed => self.verdict = None,
            Fact::Revoked(id) => {
                if let Some(rows) = &mut self.listing {
                    rows.retain(|row| row.id != id);
                }
            }
            Fact::Other => {}
        }
    }

    /// Somebody else wrote the object: another process recorded a fact, or a person changed the spec. What was read before that must
    /// not justify anything.
    pub(crate) fn overtaken(&mut self, object: ArtifactToken) {
        let other_spec = object.meta().generation != self.object.meta().generation;
        self.note_object(object);
        self.secret.live = false;
        self.preflight = false;
        self.verdict = None;
        if self.listing.take().is_some() {
            // What was listed is not recorded: a claim must not be taken without it.
            self.memory.swept = None;
        }
        if other_spec {
            self.validated = Validated::of(&self.object, self.service.as_deref(), &self.ctx.shared.settings);
            self.memory.secret = None;
        }
    }

    // What is found out beside them.

    /// The object is as this pass wrote it.
    pub(crate) fn object_written(&mut self, object: ArtifactToken) {
        if object.meta().generation == self.object.meta().generation {
            self.note_object(object);
        } else {
            // The answer to our own write has a spec that somebody changed in between.
            self.overtaken(object);
        }
    }

    fn note_object(&mut self, mut object: ArtifactToken) {
        finalizer_time::keep_only(object.meta_mut());
        let object = Arc::new(object);
        self.memory.remember(object.clone(), &self.object);
        self.object = object;
    }

    /// What was revoked during a deletion stands in this process alone: the object is about to go.
    pub(crate) fn revoked_unrecorded(&mut self, id: &str, change: impl FnOnce(&mut Ledger)) {
        let mut object = ArtifactToken::clone(&self.object);
        change(&mut object.status.get_or_insert_default().ledger);
        let object = Arc::new(object);
        self.memory.remember(object.clone(), &self.object);
        self.object = object;
        self.fact_recorded(Fact::Revoked(id));
    }

    /// The dry-run of the write went through; its answer is a live read of the same Secret.
    pub(crate) fn write_admitted(&mut self, secret: Option<Secret>) {
        self.note_secret(secret);
        self.preflight = true;
    }

    /// The Secret is taken to be as the memory or the ledger has it.
    pub(crate) fn secret_remembered(&mut self, ours: Ours, doubtful: bool) {
        self.secret.state = SecretState::Ours(ours);
        self.secret.doubtful = doubtful;
    }

    /// The service was listed. The Secret is to be read after it (P5).
    pub(crate) fn listed(&mut self, rows: Vec<Row>) {
        self.listing = Some(rows);
    }

    /// What was listed could not be judged or recorded: it is listed again, but not by every pass.
    pub(crate) fn listed_in_vain(&mut self) {
        if self.listing.take().is_some() {
            let (first, now) = (self.desired().timings.first_retry, self.now().earliest);
            self.memory.retries.failed(StepKind::Sweep, first, first, now);
            self.memory.swept = None;
        }
    }

    /// The service was asked about what the Secret holds.
    pub(crate) fn asked(&mut self, verdict: Option<Verdict>) {
        self.verdict = verdict;
    }

    /// Nothing new may be generated, for this.
    pub(crate) fn forbid(&mut self, halt: Halt) {
        self.halt = Some(halt);
    }

    fn note_secret(&mut self, secret: Option<Secret>) {
        let state = secret.as_ref().map_or(SecretState::Absent, |secret| self.reader().state(secret));
        self.secret = KnownSecret { live: true, state, raw: None, doubtful: false };
        self.memory.secret = None;
        if let (Some(secret), SecretState::Ours(ours)) = (&secret, &self.secret.state) {
            let ours = ours.clone();
            let doubtful = self.is_doubtful(secret, &ours);
            self.remember_value(secret, &ours);
            let version = secret.resource_version().unwrap_or_default();
            self.memory.secret = Some(SeenSecret { version, ours, doubtful, at: Instant::now() });
            self.secret.doubtful = doubtful;
        }
        self.secret.raw = secret;
    }

    /// A person may have changed the Secret, or asks for a fresh look, or the store was put back, perhaps to a token that was revoked
    /// since.
    fn is_doubtful(&self, secret: &Secret, ours: &Ours) -> bool {
        let holds = self.ledger().current.as_ref().is_some_and(|current| secret_state::holds(ours, &current.id));
        let asked = self.reconcile_requested() || self.memory.restored;
        holds && (asked || self.reader().may_be_rewritten(secret, ours))
    }

    /// Keeps the token's value while a rotation may need it: for the way back, and to prove its revoke.
    fn remember_value(&mut self, secret: &Secret, ours: &Ours) {
        let Some(id) = ours.id.clone().filter(|id| secret_state::holds(ours, id)) else { return };
        if self.ledger().knows(&id)
            && let Some(value) = self.token_in(secret)
        {
            self.memory.values.insert(id, value);
        }
    }

    /// The service accepted what the Secret holds: from now on an edit by hand is told by the digest.
    pub(crate) fn mark_verified(&mut self, token: &SecretString) {
        self.memory.accepted = Some(self.now().latest);
        self.secret.doubtful = false;
        if let Some(current) = self.ledger().current.as_ref().filter(|current| self.holds(&current.id)) {
            self.memory.digest = Some((current.id.clone(), secret_state::digest_of(token)));
        }
        self.memory.restored = false;
        if let Some(seen) = &mut self.memory.secret {
            seen.doubtful = false;
        }
    }
}

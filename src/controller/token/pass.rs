//! What a pass knows, and the only places where that knowledge becomes void.
//!
//! "A read must be newer than the fact it rests on" is the heart of the protocol. So nothing here can be set from outside: four
//! changes void what was known before, and each says why ([`Pass::secret_read`], [`Pass::secret_written`], [`Pass::fact_recorded`],
//! [`Pass::overtaken`]). All other methods add to it; [`Pass::listed_in_vain`] also drops a list that could not be used.

mod newest;
mod places;
mod read;
pub(crate) mod report;

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::{Resource, ResourceExt};
use secrecy::SecretString;
use tokio::time::Instant;

use crate::api::artifact_token::ArtifactToken;
use crate::api::ids::TokenId;
use crate::api::ledger::Ledger;
use crate::api::reason::Reason;
use crate::controller::finalizer_time;
use crate::controller::registry::ServiceEntry;
use crate::controller::token::context::Context;
use crate::controller::token::memory::{Memory, SeenSecret};
use crate::controller::token::secret_state::{self};
use crate::controller::token::validate::Validated;
use crate::controller::token::visible_service::service_of;
use crate::controller::value_digest::digest_of;
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Ours, Row, SecretState, Verdict};
use crate::rotation::step_kind::StepKind;
use crate::rotation::urgency::Urgency;
use crate::secret::metadata::Owner;
use crate::service::client::Places;

/// One pass.
pub(crate) struct Pass<'a> {
    ctx: &'a Context,
    memory: &'a mut Memory,
    /// The object, in the newest version that is known.
    object: Arc<ArtifactToken>,
    owner: Owner,
    validated: Validated,
    /// The service as its last check found it.
    service: Option<Arc<ServiceEntry>>,
    /// Why the object's namespace may not have new tokens of the service; `None` if it may.
    forbidden: Option<Halt>,
    secret: KnownSecret,
    /// The Secret that keeps values was read in this pass.
    companion_live: bool,
    /// The service's list, once this pass asked for it, and whether it shows a token of ours beside this object's current one.
    listing: Option<(Vec<Row>, bool)>,
    /// The write of the Secret was dry-run against `secret`.
    preflight: bool,
    /// The service's answer about the token that `secret` holds.
    verdict: Option<Verdict>,
    /// The service's answer about that token says nothing.
    says_nothing: bool,
    /// Why this pass found that no new token may be generated.
    halt: Option<Halt>,
    /// Places in the rate limit for the calls of an issue, which the preflight took together with its own.
    places: Option<Places>,
    /// The turn of the list that this pass read last, for the question about the token in the Secret.
    question: Option<Places>,
    /// Places for the calls of a revoke.
    turn: Option<Places>,
    /// How urgent the calls of this step are.
    urgency: Urgency,
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
    /// Because somebody else may have written its value.
    rewritten: bool,
}

/// How the pass goes on after a step.
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
    /// The token that the Secret holds is verified.
    Verified,
    /// An attempt failed.
    Failed,
    /// The service refuses the current token for good.
    Rejected,
    /// The token with this id is dead.
    Revoked(&'a TokenId),
    /// A fact that makes no read void.
    Other,
}

impl<'a> Pass<'a> {
    /// A pass that knows the object, but nothing yet of its Secret and its tokens.
    pub(crate) fn new(ctx: &'a Context, memory: &'a mut Memory, object: Arc<ArtifactToken>) -> Self {
        let (service, forbidden) = service_of(ctx, &object);
        let validated = Validated::of(&object, service.as_deref(), &ctx.shared.settings);
        let uid = object.meta().uid.clone().unwrap_or_default();
        let owner = Owner {
            kind: "ArtifactToken".to_owned(),
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            uid,
        };
        Self {
            ctx,
            memory,
            object,
            owner,
            validated,
            service,
            forbidden,
            secret: KnownSecret::default(),
            companion_live: false,
            listing: None,
            preflight: false,
            verdict: None,
            says_nothing: false,
            halt: None,
            places: None,
            question: None,
            turn: None,
            urgency: Urgency::Rest,
        }
    }

    /// Takes the service and the permission to use it as they are now. A check may have changed them since the last step, and between
    /// a claim and the request for its token the newest ones count.
    pub(crate) fn look_at_service(&mut self) {
        let (service, forbidden) = service_of(self.ctx, &self.object);
        self.forbidden = forbidden;
        let is_same = match (&service, &self.service) {
            (Some(now), Some(before)) => Arc::ptr_eq(now, before),
            (now, before) => now.is_none() && before.is_none(),
        };
        if !is_same {
            let revision = |service: &Option<Arc<ServiceEntry>>| service.as_ref().map(|entry| entry.revision.clone());
            // A list that another version of the credential has read is not today's.
            if revision(&service) != revision(&self.service) && self.listing.take().is_some() {
                self.memory.swept = None;
            }
            self.service = service;
            self.validated = Validated::of(&self.object, self.service.as_deref(), &self.ctx.shared.settings);
        }
    }

    // The changes that void what was known before.

    /// Records a live read of the Secret, or that it is absent. The service's verdict was about bytes that were read before.
    pub(crate) fn secret_read(&mut self, secret: Option<Secret>) {
        self.verdict = None;
        self.note_secret(secret);
    }

    /// Records that a write of the Secret was sent; `None` where it was rejected, or nobody knows its result. The dry-run and the
    /// verdict were about the Secret before the write.
    pub(crate) fn secret_written(&mut self, written: Option<Secret>) {
        self.preflight = false;
        self.verdict = None;
        match written {
            Some(secret) => {
                self.memory.forbidden.take_if(|(_, halt)| halt.reason != Reason::TokenLimitReached);
                self.note_secret(Some(secret));
            }
            None => {
                self.secret.live = false;
                // No watch shows what became of it.
                self.memory.secret.take_if(|_| self.ctx.rereads.is_some());
            }
        }
    }

    /// Records that a fact stands in the ledger. Reads from before the record of a verified token must not justify a revoke of its
    /// predecessor, and a list from before a revoke still shows the dead token.
    pub(crate) fn fact_recorded(&mut self, fact: Fact<'_>) {
        match fact {
            Fact::Verified => {
                self.verdict = None;
                self.secret.live = false;
            }
            Fact::Failed => self.verdict = None,
            Fact::Revoked(id) => {
                if let Some((rows, _)) = &mut self.listing {
                    rows.retain(|row| row.id != *id);
                }
            }
            Fact::Rejected | Fact::Other => {}
        }
        if self.is_by_hand() && matches!(fact, Fact::Verified | Fact::Rejected | Fact::Revoked(_)) {
            self.memory.telling.anew();
            self.memory.by_hand.tell_anew();
        }
    }

    // What is found out beside them.

    /// Records that this pass wrote the object.
    pub(crate) fn object_written(&mut self, object: ArtifactToken) {
        if object.meta().generation == self.object.meta().generation {
            self.note_object(object);
        } else {
            // Somebody changed the spec before our own write.
            self.overtaken(object);
        }
    }

    fn note_object(&mut self, mut object: ArtifactToken) {
        finalizer_time::strip_managed_fields(object.meta_mut());
        let object = Arc::new(object);
        self.memory.remember(object.clone(), &self.object);
        self.object = object;
    }

    /// Records a revoke during a deletion in this process alone: the object is about to go.
    pub(crate) fn revoked_unrecorded(&mut self, id: &TokenId, change: impl FnOnce(&mut Ledger)) {
        let mut object = ArtifactToken::clone(&self.object);
        change(&mut object.status.get_or_insert_default().ledger);
        self.note_object(object);
        self.fact_recorded(Fact::Revoked(id));
    }

    /// Records that the dry-run of the write was accepted; its answer is a live read of the same Secret.
    pub(crate) fn write_admitted(&mut self, secret: Option<Secret>) {
        self.note_secret(secret);
        self.preflight = true;
        self.memory.forbidden = None;
    }

    /// Takes the state of the Secret from the memory or the ledger.
    pub(crate) fn secret_remembered(&mut self, ours: Ours, doubtful: bool) {
        self.secret.state = SecretState::Ours(ours);
        self.secret.doubtful = doubtful;
    }

    /// Records the service's list, and whether it shows others of ours. The Secret must be read after it (P5).
    pub(crate) fn listed(&mut self, rows: Vec<Row>, others: bool) {
        self.listing = Some((rows, others));
    }

    /// Records that the list could not be judged or recorded. The service is listed again, but not by every pass.
    pub(crate) fn listed_in_vain(&mut self) {
        if self.listing.take().is_some() {
            let (first, now) = (self.desired().timings.first_retry, self.now().time());
            self.memory.retries.failed(StepKind::Sweep, first, first, now);
            self.memory.swept = None;
        }
    }

    /// Records the service's answer about the token that the Secret holds.
    pub(crate) fn asked(&mut self, verdict: Option<Verdict>) {
        self.verdict = verdict;
    }

    /// Records that the service's answer about the token in the Secret says nothing.
    pub(crate) fn asked_in_vain(&mut self) {
        self.says_nothing = true;
    }

    /// Records how urgent the calls of the next step are.
    pub(crate) fn set_urgency(&mut self, urgency: Urgency) {
        self.urgency = urgency;
    }

    fn note_secret(&mut self, secret: Option<Secret>) {
        let state = secret.as_ref().map_or(SecretState::Absent, |secret| self.reader().state(secret));
        self.secret = KnownSecret { live: true, state, ..KnownSecret::default() };
        self.memory.secret = None;
        // Whose it is, this read shows.
        self.memory.forbidden.take_if(|(_, halt)| halt.reason == Reason::SecretConflict);
        if let SecretState::Foreign(halt) | SecretState::Unwritable(halt) = &self.secret.state {
            self.remember_halt(halt.clone());
        }
        if let (Some(secret), SecretState::Ours(ours)) = (&secret, &self.secret.state) {
            let ours = ours.clone();
            let holds = self.ledger().current.as_ref().is_some_and(|current| secret_state::holds(&ours, &current.id));
            let rewritten = holds && self.reader().may_be_rewritten(secret, &ours);
            // What somebody else may have written is no value of ours.
            if !rewritten {
                self.remember_value(secret, &ours);
            }
            // A person may ask for a fresh look, or the store was restored, perhaps to a token that was revoked since.
            let doubtful = rewritten || holds && (self.reconcile_requested() || self.memory.restored);
            let version = secret.resource_version().unwrap_or_default();
            self.memory.secret = Some(SeenSecret { version, ours, doubtful, at: Instant::now() });
            (self.secret.doubtful, self.secret.rewritten) = (doubtful, rewritten);
        }
        self.secret.raw = secret;
    }

    /// Keeps the token's value while a rotation may need it: to roll back, and to prove its revoke.
    fn remember_value(&mut self, secret: &Secret, ours: &Ours) {
        let Some(id) = ours.id.clone().filter(|id| secret_state::holds(ours, id)) else { return };
        if self.ledger().knows(&id)
            && self.reader().may_be_last(ours.attempt, &id)
            && let Some(value) = self.token_in(secret)
        {
            self.memory.values.insert(id, value);
        }
    }

    /// Records that the service accepted the token in the Secret. From now on the digest shows an edit by hand.
    pub(crate) fn mark_verified(&mut self, token: &SecretString) {
        self.memory.accepted = Some(self.now().time());
        (self.secret.doubtful, self.secret.rewritten) = (false, false);
        if let Some(current) = self.ledger().current.as_ref().filter(|current| self.holds(&current.id)) {
            let id = current.id.clone();
            self.memory.values.insert(id.clone(), token.clone());
            self.memory.signs.remove(&id);
            self.memory.digest = Some((id, digest_of(token)));
        }
        self.memory.restored = false;
        if let Some(seen) = &mut self.memory.secret {
            seen.doubtful = false;
        }
    }
}

//! What steps may read from a pass. Nothing here changes what the pass knows.

use std::sync::LazyLock;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use secrecy::SecretString;

use super::Pass;
use crate::api::artifact_token::{ArtifactToken, CONFIRM_IDENTITY, RECONCILE_REQUESTED_AT, ROTATE_REQUESTED_AT};
use crate::api::ids::TokenId;
use crate::api::ledger::{HandledRequests, Ledger, ServiceIdentity, Unclear};
use crate::controller::registry::{Key, ServiceEntry};
use crate::controller::shared::Shared;
use crate::controller::token::context::Context;
use crate::controller::token::memory::Memory;
use crate::controller::token::secret_state::{self, SecretReader};
use crate::controller::token::validate::Validated;
use crate::controller::token::visible_service::has_begun;
use crate::rotation::desired::{Desired, Halt};
use crate::rotation::now::Now;
use crate::rotation::observed::{Ours, Row, SecretState, Secrets, Verdict};
use crate::rotation::step_kind::StepKind;
use crate::secret::metadata::{Marks, Owner};
use crate::service::client::ServiceClient;
use crate::service::declaration::Declaration;
use crate::service::limits::Caller;

/// The ledger of an object that has none.
static NO_LEDGER: LazyLock<Ledger> = LazyLock::new(Ledger::default);

/// The longest request annotation that is remembered; the status has the same bound.
const MAX_REQUEST: usize = 256;

impl<'a> Pass<'a> {
    pub(crate) fn ctx(&self) -> &'a Context {
        self.ctx
    }

    pub(crate) fn shared(&self) -> &'a Shared {
        &self.ctx.shared
    }

    pub(crate) fn now(&self) -> Now {
        self.ctx.shared.clock.now()
    }

    pub(crate) fn object(&self) -> &ArtifactToken {
        &self.object
    }

    /// The generation of the spec.
    pub(crate) fn generation(&self) -> i64 {
        self.object.metadata.generation.unwrap_or_default()
    }

    /// namespace/name, for logs.
    pub(crate) fn label(&self) -> String {
        format!("{}/{}", self.object.namespace().unwrap_or_default(), self.object.name_any())
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        self.object.status.as_ref().map_or(&NO_LEDGER, |status| &status.ledger)
    }

    pub(crate) fn memory(&self) -> &Memory {
        self.memory
    }

    /// The memory of this process. It is not what the pass knows: it may be lost at any time, and decides nothing alone.
    pub(crate) fn memory_mut(&mut self) -> &mut Memory {
        self.memory
    }

    /// The object, in the form that the Secret's annotation names it.
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(crate) fn uid(&self) -> &str {
        &self.owner.uid
    }

    pub(crate) fn validated(&self) -> &Validated {
        &self.validated
    }

    pub(crate) fn desired(&self) -> &Desired {
        &self.validated.desired
    }

    /// The request annotations as they are now; an empty value asks for nothing.
    pub(crate) fn requests(&self) -> HandledRequests {
        let value = |key: &str| {
            let text = self.object.annotations().get(key).filter(|text| !text.is_empty())?;
            Some(text.chars().take(MAX_REQUEST).collect())
        };
        HandledRequests {
            rotate: value(ROTATE_REQUESTED_AT),
            reconcile: value(RECONCILE_REQUESTED_AT),
            confirm: value(CONFIRM_IDENTITY),
        }
    }

    /// Whether a person asks for a fresh look that is not recorded as handled yet.
    pub(crate) fn reconcile_requested(&self) -> bool {
        let requests = self.requests();
        requests.reconcile.is_some() && requests.reconcile != self.ledger().handled_requests.reconcile
    }

    pub(crate) fn service(&self) -> Option<&ServiceEntry> {
        self.service.as_deref()
    }

    /// Whether a person makes the tokens of the service.
    pub(crate) fn is_by_hand(&self) -> bool {
        self.service().and_then(|service| service.declaration.as_ref()).is_some_and(Declaration::is_by_hand)
    }

    pub(crate) fn service_key(&self) -> Key {
        Key::of(&self.object)
    }

    pub(crate) fn client(&self) -> Option<ServiceClient> {
        self.service.as_ref().and_then(|service| service.client.clone())
    }

    /// The service within which the ids of this object's tokens have a meaning.
    pub(crate) fn service_identity(&self) -> Option<ServiceIdentity> {
        let service = self.service.as_ref()?;
        Some(ServiceIdentity { uid: service.uid.clone(), origin: service.origin.clone() })
    }

    /// This object as it stands in the queue of the service, for the calls of a step.
    pub(crate) fn caller(&self, kind: StepKind) -> Caller {
        Caller {
            id: format!("{}/{kind:?}", self.uid()),
            shown: self.label(),
            namespace: self.object.namespace().unwrap_or_default(),
            class: self.urgency as u8,
        }
    }

    /// Since when the service's answers about the current token say nothing, if this pass had such an answer. Another process may have had
    /// a better one since the last.
    pub(crate) fn unclear(&self) -> Option<Unclear> {
        let current = self.ledger().current.as_ref().filter(|_| self.says_nothing)?;
        self.memory.unclear_about(&current.id)
    }

    /// Whether the object may ever have had a claim.
    pub(crate) fn has_begun(&self) -> bool {
        has_begun(&self.object)
    }

    pub(crate) fn forbidden(&self) -> Option<&Halt> {
        self.forbidden.as_ref()
    }

    pub(crate) fn halt(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    pub(crate) fn listing(&self) -> Option<&Vec<Row>> {
        self.listing.as_ref().map(|(rows, _)| rows)
    }

    /// Whether the list shows a token of ours beside the current one of this object.
    pub(crate) fn lists_others(&self) -> bool {
        self.listing.as_ref().is_some_and(|(_, others)| *others)
    }

    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// Whether the Secret that keeps values was read in this pass.
    pub(crate) fn is_companion_live(&self) -> bool {
        self.companion_live
    }

    /// Whether the write of the Secret was dry-run.
    pub(crate) fn is_preflighted(&self) -> bool {
        self.preflight
    }

    /// The Secret as the decision sees it.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::one(self.secret.live, self.secret.state.clone())
    }

    pub(crate) fn secret_state(&self) -> &SecretState {
        &self.secret.state
    }

    /// The Secret as it was read last in this pass.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        self.secret.raw.as_ref()
    }

    /// Whether only the service can tell if the Secret still holds the current token.
    pub(crate) fn is_secret_doubtful(&self) -> bool {
        self.secret.doubtful
    }

    /// Whether somebody else may have written the value in the Secret.
    pub(crate) fn is_secret_rewritten(&self) -> bool {
        self.secret.rewritten
    }

    /// Whether the Secret holds the token with this id, as far as known.
    pub(crate) fn holds(&self, id: &TokenId) -> bool {
        matches!(&self.secret.state, SecretState::Ours(ours) if secret_state::holds(ours, id))
    }

    /// The same, where its marks may be those that this operator wrote last.
    pub(crate) fn holds_last(&self, id: &TokenId) -> bool {
        let last = |ours: &Ours| secret_state::holds(ours, id) && self.reader().may_be_last(ours.attempt, id);
        matches!(&self.secret.state, SecretState::Ours(ours) if last(ours))
    }

    /// The same of a Secret that cannot be written: it is immutable, say.
    pub(crate) fn holds_unwritable(&self, id: &TokenId) -> bool {
        let marked = |secret| self.marks_of(secret).token_id.as_ref() == Some(id);
        matches!(self.secret.state, SecretState::Unwritable(_)) && self.secret().is_some_and(marked)
    }

    /// The token that the Secret holds, as it was read last in this pass.
    pub(crate) fn held_token(&self) -> Option<SecretString> {
        self.token_in(self.secret()?)
    }

    /// Whether this value ends as the ledger says of the token, as far as it says that.
    pub(crate) fn is_like(&self, id: &TokenId, value: &SecretString) -> bool {
        let ledger = self.ledger();
        let current =
            ledger.current.iter().filter(|current| current.id == *id).filter_map(|current| current.hint.as_ref());
        let superseded = ledger.superseded.iter().filter(|old| old.id == *id).filter_map(|old| old.hint.as_ref());
        current.chain(superseded).all(|hint| secret_state::ends_like(hint, value))
    }

    pub(crate) fn token_in(&self, secret: &Secret) -> Option<SecretString> {
        self.reader().token(secret)
    }

    pub(crate) fn marks_of(&self, secret: &Secret) -> Marks {
        self.reader().marks(secret)
    }

    pub(super) fn reader(&self) -> SecretReader<'_> {
        SecretReader {
            template: &self.object.spec.secret,
            owner: &self.owner,
            ledger: self.ledger(),
            digest: self.memory.digest.as_ref(),
            values: &self.memory.values,
        }
    }
}

//! The Secret as a pass knows it: what the watch and the memory say, what a live read says, and what that means.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use k8s_openapi::api::core::v1::Secret;
use kube::{Resource, ResourceExt};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::api::ledger::Ledger;
use crate::api::reason::Reason;
use crate::controller::error::PassError;
use crate::controller::token::memory::SeenSecret;
use crate::controller::token::pass::Pass;
use crate::controller::token::secret_index::{Indexed, older};
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Content, Ours, SecretState};
use crate::secret::content;
use crate::secret::formats::Facts;
use crate::secret::metadata::{self, Marks, Owner, Ownership};
use crate::secret::patch;

/// A number on a Secret that is further than this above the ledger's was not written by us (P16).
const FARTHEST_MARK: u32 = 10_000;

/// The Secret as a pass knows it.
#[derive(Debug)]
pub(crate) struct KnownSecret {
    /// Read from the API server in this pass, and after the list if there was one.
    pub live: bool,
    /// What the decision needs of it.
    pub state: SecretState,
    /// The Secret itself, once read.
    pub raw: Option<Secret>,
    /// Only the service can tell whether it still holds the current token.
    pub doubtful: bool,
}

impl Default for KnownSecret {
    fn default() -> Self {
        Self { live: false, state: SecretState::Absent, raw: None, doubtful: false }
    }
}

impl Pass<'_> {
    /// The first look of a pass: what the watch and the memory say, and a read where they disagree.
    pub(super) async fn look(&mut self) -> Result<(), PassError> {
        let namespace = self.object.namespace().unwrap_or_default();
        let recorded = self.ledger().current.map(|current| current.secret_resource_version).unwrap_or_default();
        let applied = self.object.status.as_ref().and_then(|status| status.observed_generation);
        let unchanged_spec = applied == self.object.meta().generation && !self.reconcile_requested();
        let seen = self.memory.secret.clone();
        match (self.ctx.secrets.get(&namespace, &self.object.spec.secret.name), seen) {
            // A version that looks newer than a later list's is of a store that was put back.
            (Indexed::Present { version, listed }, Some(seen))
                if (seen.version == version || (listed <= seen.at && !older(&seen.version, &version)))
                    && unchanged_spec =>
            {
                self.known.state = SecretState::Ours(seen.ours);
                self.known.doubtful = seen.doubtful;
                Ok(())
            }
            (Indexed::Present { version, .. }, _) if version == recorded && unchanged_spec && !self.memory.restored => {
                self.known.state = SecretState::Ours(recorded_secret(&self.ledger()));
                Ok(())
            }
            (Indexed::Present { .. }, _) => self.read().await,
            (Indexed::Absent { since, listed }, Some(seen)) => {
                let gone = listed > seen.at || since.is_some_and(|since| !older(&since, &seen.version));
                if !gone && unchanged_spec {
                    self.known.state = SecretState::Ours(seen.ours);
                    return Ok(());
                }
                if gone { Ok(()) } else { self.read().await }
            }
            (Indexed::Absent { .. }, None) => Ok(()),
        }
    }

    fn reconcile_requested(&self) -> bool {
        let requests = self.requests();
        requests.reconcile.is_some() && requests.reconcile != self.ledger().handled_requests.reconcile
    }

    /// Takes note of a live Secret, or of its absence.
    pub(super) fn saw(&mut self, secret: Option<Secret>) {
        self.known.live = true;
        self.known.state = secret.as_ref().map_or(SecretState::Absent, |secret| self.state_of(secret));
        self.known.doubtful = false;
        self.memory.secret = None;
        if let (Some(secret), SecretState::Ours(ours)) = (&secret, &self.known.state) {
            let version = secret.resource_version().unwrap_or_default();
            let ours = ours.clone();
            self.known.doubtful = self.is_doubtful(secret, &ours);
            self.remember_value(secret, &ours);
            self.memory.secret = Some(SeenSecret { version, ours, doubtful: self.known.doubtful, at: Instant::now() });
        }
        self.known.raw = secret;
    }

    /// The version is not the recorded one, and this process never saw the value: a hand may have changed it. Or somebody asks for
    /// a fresh look. Or the store was put back, perhaps to a token that was revoked since.
    fn is_doubtful(&self, secret: &Secret, ours: &Ours) -> bool {
        let ledger = self.ledger();
        let Some(current) = &ledger.current else { return false };
        let holds = ours.content == Content::Token && ours.id.as_ref() == Some(&current.id);
        let known = self.memory.digest.as_ref().is_some_and(|(id, _)| *id == current.id);
        let rewritten = !known && secret.resource_version().as_ref() != Some(&current.secret_resource_version);
        holds && (rewritten || self.reconcile_requested() || self.memory.restored)
    }

    /// The service accepted what the Secret holds: from now on an edit by hand is told by the digest.
    pub(super) fn vouch_for(&mut self, value: &SecretString) {
        if let Some(current) = self.ledger().current.filter(|current| self.known.state_holds(&current.id)) {
            self.memory.digest = Some((current.id, digest_of(value)));
        }
        self.memory.restored = false;
        if let Some(seen) = &mut self.memory.secret {
            seen.doubtful = false;
        }
    }

    /// Keeps the current token's value while a rotation may need it: for the way back, and to prove its revoke.
    fn remember_value(&mut self, secret: &Secret, ours: &Ours) {
        let Some(id) = ours.id.clone().filter(|_| ours.content == Content::Token) else { return };
        if self.ledger().knows(&id)
            && let Some(value) = self.value_in(secret)
        {
            self.memory.values.insert(id, value);
        }
    }

    /// The token that `secret` holds: read back by the spec's entries, or, after a change of these, recognised by the
    /// digest of what this process wrote or read.
    pub(super) fn value_in(&self, secret: &Secret) -> Option<SecretString> {
        content::token_in(&self.object.spec.secret, secret).or_else(|| {
            let id = metadata::read_marks(secret).token_id?;
            let digest = match &self.memory.digest {
                Some((known, digest)) if *known == id => *digest,
                Some(_) | None => digest_of(self.memory.values.get(&id)?),
            };
            content::tokens_in(secret).find(|value| digest_of(value) == digest)
        })
    }

    fn state_of(&self, secret: &Secret) -> SecretState {
        let template = &self.object.spec.secret;
        let predecessor = match metadata::ownership(secret, &self.owner()) {
            Ownership::Ours => None,
            Ownership::Predecessors { uid } => Some(uid),
            Ownership::Foreign { owner } => return SecretState::Foreign(foreign(&template.name, owner.as_deref())),
        };
        if let Some(obstacle) = content::obstacle(template, secret) {
            let message = format!(
                "{obstacle} ({}): delete it, or choose another spec.secret.name in a new ArtifactToken",
                template.name
            );
            return SecretState::Foreign(Halt::stalled(Reason::SecretConflict, message));
        }
        let marks = self.bounded(metadata::read_marks(secret));
        SecretState::Ours(Ours {
            attempt: if predecessor.is_some() { 0 } else { marks.attempt },
            fence: if predecessor.is_some() { 0 } else { marks.highest() },
            content: self.content_of(secret, &marks),
            rendered: self.is_rendered(secret, &marks),
            essence: essence(secret, &marks),
            id: marks.token_id,
            predecessor,
        })
    }

    /// Numbers far above the ledger's were not written by us.
    pub(super) fn bounded(&self, mut marks: Marks) -> Marks {
        let ledger = self.ledger();
        let highest = ledger.highest_attempt();
        if ledger.claim.is_some() && marks.highest() > highest.saturating_add(FARTHEST_MARK) {
            marks.attempt = marks.attempt.min(highest);
            marks.fence = marks.fence.min(highest);
        }
        marks
    }

    fn content_of(&self, secret: &Secret, marks: &Marks) -> Content {
        if marks.attempt == 0 {
            return Content::Empty;
        }
        let Some(value) = self.value_in(secret) else { return Content::Edited };
        let digest = digest_of(&value);
        let expected = self.memory.digest.as_ref().filter(|(id, _)| Some(id) == marks.token_id.as_ref());
        match expected {
            Some((_, expected)) if *expected != digest => Content::Edited,
            Some(_) | None => Content::Token,
        }
    }

    fn is_rendered(&self, secret: &Secret, marks: &Marks) -> bool {
        let Some(value) = self.value_in(secret) else { return false };
        let expiration_time = self.ledger().current.and_then(|current| current.expiration_time);
        let facts = Facts { token: &value, id: marks.token_id.as_deref(), expiration_time };
        content::desired(&self.object.spec.secret, &self.owner(), marks, &facts)
            .is_ok_and(|desired| patch::drift(&desired, secret).is_empty())
    }

    /// The owner as the Secret's annotation names it.
    pub(super) fn owner(&self) -> Owner {
        Owner { kind: "ArtifactToken".to_owned(), name: self.object.name_any(), uid: self.uid() }
    }
}

/// A Secret whose version is the recorded one: it is as we left it.
fn recorded_secret(ledger: &Ledger) -> Ours {
    let current = ledger.current.as_ref();
    let attempt = current.map_or(0, |current| current.attempt);
    Ours {
        attempt,
        id: current.map(|current| current.id.clone()),
        fence: attempt,
        content: Content::Token,
        rendered: true,
        essence: 0,
        predecessor: None,
    }
}

fn digest_of(value: &SecretString) -> [u8; 32] {
    Sha256::digest(value.expose_secret().as_bytes()).into()
}

fn foreign(name: &str, owner: Option<&str>) -> Halt {
    let whose = owner.map_or_else(|| "was not made by this operator".to_owned(), |owner| format!("belongs to {owner}"));
    let message = format!(
        "the Secret {name} {whose} and is not touched: delete it, or choose another spec.secret.name in a new ArtifactToken"
    );
    Halt::stalled(Reason::SecretConflict, message)
}

/// What P4 compares. Only equality within this process matters.
fn essence(secret: &Secret, marks: &Marks) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (key, value) in secret.data.iter().flatten() {
        key.hash(&mut hasher);
        value.0.hash(&mut hasher);
    }
    (marks.attempt, &marks.token_id, &marks.superseded, marks.fence).hash(&mut hasher);
    secret.annotations().get(metadata::OWNER).hash(&mut hasher);
    hasher.finish()
}

impl KnownSecret {
    /// Whether the Secret holds the token with this id, as far as known.
    pub(super) fn state_holds(&self, id: &str) -> bool {
        matches!(&self.state, SecretState::Ours(ours)
            if ours.content == Content::Token && ours.id.as_deref() == Some(id))
    }
}

//! Reads the state of a Secret. The code is pure, so that every case is a line of a test.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use secrecy::{ExposeSecret, SecretString};

use crate::api::ids::TokenId;
use crate::api::ledger::{Current, Ledger};
use crate::api::reason::Reason;
use crate::api::secret_template::SecretTemplate;
use crate::controller::value_digest::{ValueDigest, digest_of};
use crate::rotation::desired::Halt;
use crate::rotation::observed::{Content, Former, Ours, SecretState};
use crate::secret::content;
use crate::secret::formats::Facts;
use crate::secret::metadata::{self, Marks, Owner, Ownership};
use crate::secret::patch;

/// A number on a Secret that is further than this above the ledger's cannot be ours (P16).
const MAX_MARK_AHEAD: u32 = 10_000;
/// The same where the ledger has no claim: it may be a lost one, which knew of more. An attempt each hour makes as many in a century.
const MAX_MARK_UNKNOWN: u32 = 1_000_000;

/// A value shorter than this shows too much of itself in its last four characters.
const MIN_HINTED: usize = 20;

/// The end of a token's value, for people.
pub(crate) fn hint_of(token: &str) -> Option<String> {
    let length = token.chars().count();
    let last = token.chars().skip(length.saturating_sub(4)).collect::<String>();
    (length >= MIN_HINTED).then(|| format!("****{last}"))
}

/// Whether a value ends as this hint says.
pub(crate) fn ends_like(hint: &str, token: &SecretString) -> bool {
    hint_of(token.expose_secret()).as_deref() == Some(hint)
}

/// Reads a Secret, knowing what its object wants and what this process knows of its tokens.
pub(crate) struct SecretReader<'a> {
    pub template: &'a SecretTemplate,
    pub owner: &'a Owner,
    pub ledger: &'a Ledger,
    /// The id of the current token and the digest of its value, if this process wrote or saw it.
    pub digest: Option<&'a (TokenId, ValueDigest)>,
    /// Values by token id.
    pub values: &'a BTreeMap<TokenId, SecretString>,
}

impl SecretReader<'_> {
    /// What the decision needs of `secret`.
    pub(crate) fn state(&self, secret: &Secret) -> SecretState {
        let former = match metadata::ownership(secret, self.owner) {
            Ownership::Ours => false,
            Ownership::Former => true,
            Ownership::Foreign { owner, copy } => {
                return SecretState::Foreign(foreign(&self.template.name, owner.as_deref(), copy));
            }
        };
        if let Some(obstacle) = content::obstacle(self.template, secret) {
            let message = format!(
                "{obstacle} ({}): delete it, or choose another spec.secret.name in a new ArtifactToken",
                self.template.name
            );
            let halt = Halt::stalled(Reason::SecretConflict, message);
            return if former { SecretState::Foreign(halt) } else { SecretState::Unwritable(halt) };
        }
        let marks = self.marks(secret);
        let content_hash = content_hash(secret, &marks);
        if former {
            return SecretState::Former(Former { id: marks.token_id, content_hash });
        }
        SecretState::Ours(Ours {
            attempt: marks.attempt,
            fence: marks.highest(),
            content: self.content(secret, &marks),
            rendered: self.is_rendered(secret, &marks),
            content_hash,
            id: marks.token_id,
        })
    }

    /// The marks of `secret`, without numbers far above the ledger's: we did not write those.
    pub(crate) fn marks(&self, secret: &Secret) -> Marks {
        let mut marks = metadata::read_marks(secret);
        let highest = self.ledger.highest_attempt();
        let ahead = if self.ledger.claim.is_some() { MAX_MARK_AHEAD } else { MAX_MARK_UNKNOWN };
        if marks.highest() > highest.saturating_add(ahead) {
            marks.attempt = marks.attempt.min(highest);
            marks.fence = marks.fence.min(highest);
        }
        marks
    }

    /// The token that `secret` holds. It is read back by the spec's entries or, after these changed, recognised by the digest of
    /// the value that this process wrote or read.
    pub(crate) fn token(&self, secret: &Secret) -> Option<SecretString> {
        content::token_in(self.template, secret).or_else(|| {
            let id = metadata::read_marks(secret).token_id?;
            let digest = match self.digest {
                Some((known, digest)) if *known == id => *digest,
                Some(_) | None => digest_of(self.values.get(&id)?),
            };
            content::tokens_in(secret).find(|value| digest_of(value) == digest)
        })
    }

    fn content(&self, secret: &Secret, marks: &Marks) -> Content {
        if marks.attempt == 0 {
            // Where somebody took the marks off, consumers still hold what stands there: a value that replaces it is tried.
            let nothing = content::placeholder(self.template, self.owner, marks).data;
            let empty = secret.data.as_ref().is_none_or(|data| data.is_empty() || *data == nothing);
            return if empty { Content::Empty } else { Content::Edited };
        }
        let Some(token) = self.token(secret) else { return Content::Edited };
        let id = marks.token_id.as_ref();
        let of_current = self.digest.filter(|(of, _)| Some(of) == id).map(|(_, digest)| *digest);
        // The marks of an older token are a copy, perhaps beside another value.
        let older = id.filter(|id| !self.may_be_last(marks.attempt, id));
        let expected = of_current.or_else(|| older.and_then(|id| self.values.get(id)).map(digest_of));
        match expected {
            Some(expected) if expected != digest_of(&token) => Content::Edited,
            None if self.has_other_end(&token, marks) => Content::Edited,
            Some(_) | None => Content::Token,
        }
    }

    /// Whether the value ends otherwise than the ledger says of this token. A process that never saw the value knows by that that
    /// somebody else wrote it.
    fn has_other_end(&self, token: &SecretString, marks: &Marks) -> bool {
        let id = marks.token_id.as_ref().filter(|id| self.ledger.has_token(marks.attempt, id));
        id.and_then(|id| self.ledger.hint_of(id)).is_some_and(|hint| !ends_like(hint, token))
    }

    /// Whether these marks may be those that this operator wrote last: the ones of an older token are a copy.
    pub(crate) fn may_be_last(&self, attempt: u32, id: &TokenId) -> bool {
        let later = |current: &Current| attempt > current.attempt || attempt == current.attempt && *id == current.id;
        self.ledger.current.as_ref().is_none_or(later)
    }

    fn is_rendered(&self, secret: &Secret, marks: &Marks) -> bool {
        let Some(token) = self.token(secret) else { return false };
        let expiration_time = self.ledger.current.as_ref().and_then(|current| current.expiration_time);
        let facts = Facts { token: &token, id: marks.token_id.as_ref().map(TokenId::as_str), expiration_time };
        content::desired(self.template, self.owner, marks, &facts)
            .is_ok_and(|desired| patch::drift(&desired, secret).is_empty())
    }

    /// Whether only the service can tell if `secret` still holds the current token: its version is not the recorded one, and this
    /// process never saw the value. A person may have changed it.
    pub(crate) fn may_be_rewritten(&self, secret: &Secret, ours: &Ours) -> bool {
        let Some(current) = self.ledger.current.as_ref().filter(|current| holds(ours, &current.id)) else {
            return false;
        };
        let known = self.digest.is_some_and(|(id, _)| *id == current.id);
        !known && secret.resource_version().as_ref() != Some(&current.secret_resource_version)
    }
}

/// Whether the Secret holds the token with this id, as far as known.
pub(crate) fn holds(ours: &Ours, id: &TokenId) -> bool {
    ours.content == Content::Token && ours.id.as_ref() == Some(id)
}

/// The state of a Secret whose version is the recorded one: it is as we left it.
pub(crate) fn recorded(ledger: &Ledger) -> Ours {
    let current = ledger.current.as_ref();
    let attempt = current.map_or(0, |current| current.attempt);
    let id = current.map(|current| current.id.clone());
    Ours { attempt, id, fence: attempt, content: Content::Token, rendered: true, ..Ours::default() }
}

fn foreign(name: &str, owner: Option<&str>, copy: bool) -> Halt {
    let whose = match owner {
        None => "was not made by this operator".to_owned(),
        Some(owner) if copy => format!("looks like a copy of the Secret of {owner} (a mirroring tool, a restore)"),
        Some(owner) => format!("belongs to {owner}"),
    };
    let message = format!(
        "the Secret {name} {whose} and is not touched: delete it, or choose another spec.secret.name in a new ArtifactToken"
    );
    Halt::stalled(Reason::SecretConflict, message)
}

/// The hash that P4 compares. Only equality within this process matters.
fn content_hash(secret: &Secret, marks: &Marks) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (key, value) in secret.data.iter().flatten() {
        key.hash(&mut hasher);
        value.0.hash(&mut hasher);
    }
    (marks.attempt, &marks.token_id, &marks.superseded, marks.fence).hash(&mut hasher);
    secret.annotations().get(metadata::OWNER).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;

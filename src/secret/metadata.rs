//! The operator's own marks on a Secret, and whose Secret it is.
//!
//! Anybody who may edit the Secret may edit the marks, so reading never fails and is bounded: a mark that we would not
//! write in this way counts as absent.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;

use crate::api::ids::{MAX_ATTEMPT, TokenId};

/// Annotation: the attempt whose token the data holds; `0` for a placeholder.
pub const ATTEMPT: &str = "artifact-token.dev/attempt";

/// Annotation: the id of that token at the service.
pub const TOKEN_ID: &str = "artifact-token.dev/token-id";

/// Annotation: the ids of superseded tokens, a JSON list of strings.
pub const SUPERSEDED: &str = "artifact-token.dev/superseded";

/// Annotation: the highest attempt that can no longer be published.
pub const FENCE: &str = "artifact-token.dev/fence";

/// Annotation: `kind/namespace/name/uid` of the object that the Secret belongs to. Version 0.1.0 wrote `kind/name/uid`.
pub const OWNER: &str = "artifact-token.dev/owner";

/// Annotation: the keys of labels and annotations that the template asked for when the Secret was last written.
pub const APPLIED: &str = "artifact-token.dev/applied";

/// Label: `true` on every Secret of the operator, so that they can be watched and listed.
pub const MANAGED: &str = "artifact-token.dev/managed";

/// Label: the name of an ArtifactToken, on the Secret `NAME-hand-over` with which a person hands over a token for it.
pub const HAND_OVER: &str = "artifact-token.dev/hand-over";

/// Label: the name of an ArtifactToken, on the Secret that keeps the values of its superseded tokens.
pub const COMPANION: &str = "artifact-token.dev/companion";

/// The most superseded ids that we write on a Secret, and that we believe when we read one. The ledger has room for more,
/// for tokens that were found at the service. Without these an object has at most 5 live tokens.
pub const MAX_MARKED_IDS: usize = 8;

/// The longest text about a foreign owner that goes into a message, in characters.
const MAX_OWNER_TEXT: usize = 320;

/// Reserved domains: a reserved key has one of them before its slash, alone or as the end of a longer domain.
const RESERVED: [&str; 3] = ["artifact-token.dev", "kubernetes.io", "k8s.io"];

/// Kubernetes recommends the labels of this domain to everybody.
const LABELS_FOR_ALL: &str = "app.kubernetes.io/";

/// What the Secret says about its data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The attempt whose token the data holds; 0 if there is none (a placeholder).
    pub attempt: u32,
    /// The id of that token at the service, if it has one.
    pub token_id: Option<TokenId>,
    /// Ids of tokens that this one replaced and that may still live.
    pub superseded: Vec<TokenId>,
    /// No attempt at or below this number may be published any more.
    pub fence: u32,
}

impl Marks {
    /// `fence(Secret)` of rule P5: the highest attempt that is published or given up.
    pub fn highest(&self) -> u32 {
        self.attempt.max(self.fence)
    }
}

/// The object that a Secret belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its kind, such as `ArtifactToken`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl Owner {
    fn is_named(&self, kind: &str, name: &str) -> bool {
        kind == self.kind && name == self.name
    }
}

/// Which object owns a Secret, seen from one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// This object owns it.
    Ours,
    /// An object of this kind, namespace and name owned it that is gone, since two of them cannot live at once (P22).
    Former,
    /// Somebody else owns it, and we never write it (S8).
    Foreign {
        /// Its owner annotation, shortened; `None` without one.
        owner: Option<String>,
        /// The annotation names another namespace, or none: a tool copied the Secret here with its annotations.
        copy: bool,
    },
}

/// The operator's annotations for `marks` and `owner`; an empty mark has no annotation.
pub fn annotations(marks: &Marks, owner: &Owner) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::from([
        (ATTEMPT.to_owned(), marks.attempt.to_string()),
        (FENCE.to_owned(), marks.fence.to_string()),
        (OWNER.to_owned(), format!("{}/{}/{}/{}", owner.kind, owner.namespace, owner.name, owner.uid)),
    ]);
    if let Some(id) = &marks.token_id {
        texts.insert(TOKEN_ID.to_owned(), id.to_string());
    }
    if !marks.superseded.is_empty() {
        texts.insert(SUPERSEDED.to_owned(), serde_json::json!(marks.superseded).to_string());
    }
    texts
}

/// The marks of `secret`. A wrong mark counts as absent: a number out of bounds as 0, an id that is too long as none.
pub fn read_marks(secret: &Secret) -> Marks {
    let text = |key| annotation(secret, key);
    Marks {
        attempt: text(ATTEMPT).map_or(0, number),
        token_id: text(TOKEN_ID).and_then(TokenId::new),
        superseded: text(SUPERSEDED).map_or_else(Vec::new, ids),
        fence: text(FENCE).map_or(0, number),
    }
}

/// Which object owns `secret`, seen from `owner`.
pub fn ownership(secret: &Secret, owner: &Owner) -> Ownership {
    let Some(text) = annotation(secret, OWNER) else {
        return Ownership::Foreign { owner: None, copy: false };
    };
    let foreign = |copy| Ownership::Foreign { owner: Some(text.chars().take(MAX_OWNER_TEXT).collect()), copy };
    let parts: Vec<&str> = text.split('/').collect();
    match *parts {
        // A uid has the same bound as an id.
        [kind, namespace, name, uid] if owner.is_named(kind, name) && TokenId::new(uid).is_some() => {
            match (namespace == owner.namespace, uid == owner.uid) {
                (true, true) => Ownership::Ours,
                (true, false) => Ownership::Former,
                (false, _) => foreign(true),
            }
        }
        [kind, name, uid] if owner.is_named(kind, name) && uid == owner.uid => Ownership::Ours,
        [_, namespace, _, _] => foreign(namespace != owner.namespace),
        _ => foreign(true),
    }
}

/// Whether a template may have the label `key`.
pub fn may_be_label(key: &str) -> bool {
    key.starts_with(LABELS_FOR_ALL) || !is_reserved(key)
}

/// Whether a template may have the annotation `key`.
pub fn may_be_annotation(key: &str) -> bool {
    !is_reserved(key)
}

/// Whether `key` belongs to this operator or to Kubernetes.
fn is_reserved(key: &str) -> bool {
    let Some((prefix, _)) = key.split_once('/') else {
        return false;
    };
    RESERVED.iter().any(|domain| prefix.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

pub(super) fn annotation<'a>(secret: &'a Secret, key: &str) -> Option<&'a str> {
    secret.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

/// Only digits: we never write `+7` or ` 7`.
fn number(text: &str) -> u32 {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().unwrap_or(0) } else { 0 };
    if number > MAX_ATTEMPT { 0 } else { number }
}

fn ids(text: &str) -> Vec<TokenId> {
    let list: Vec<String> = serde_json::from_str(text).unwrap_or_default();
    list.into_iter().filter_map(TokenId::new).take(MAX_MARKED_IDS).collect()
}

#[cfg(test)]
mod tests;

//! Which service object, and what changes for tokens.

use std::fmt;

use kube::ResourceExt;

use crate::api::artifact_token::{ArtifactToken, ServiceKind};

/// Which service object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The namespace of a `TokenService`; a `ClusterTokenService` has none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The service object that `token` refers to.
    ///
    /// **Invariant:** a `TokenService` is only ever looked up in the token's own namespace (S11).
    pub(crate) fn of(token: &ArtifactToken) -> Self {
        let reference = &token.spec.service_ref;
        let namespace = match reference.kind {
            ServiceKind::TokenService => Some(token.namespace().unwrap_or_default()),
            ServiceKind::ClusterTokenService => None,
        };
        Self { namespace, name: reference.name.clone() }
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> ServiceKind {
        if self.namespace.is_some() { ServiceKind::TokenService } else { ServiceKind::ClusterTokenService }
    }
}

/// As people call it: kind and name.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind(), self.name)
    }
}

/// What tokens are looked at again for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A service object was checked, and something is new.
    Service(Key),
    /// The labels of this namespace may have changed: it may have become allowed.
    Namespace(String),
    /// A token of the object with this uid was found that its ledger does not know.
    Object(String),
}

impl Change {
    /// Whether it may mean something to `token`.
    pub(crate) fn concerns(&self, token: &ArtifactToken) -> bool {
        match self {
            Self::Service(key) => Key::of(token) == *key,
            Self::Object(uid) => token.metadata.uid.as_ref() == Some(uid),
            Self::Namespace(name) => {
                token.namespace().as_ref() == Some(name) && Key::of(token).kind() == ServiceKind::ClusterTokenService
            }
        }
    }
}

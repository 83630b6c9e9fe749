//! Names a service object, and names the changes that matter to tokens.

use std::fmt;

use kube::ResourceExt;

use crate::api::artifact_token::{ArtifactToken, ServiceKind};

/// Identifies a service object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The namespace of a `TokenService`; a `ClusterTokenService` has none.
    pub namespace: Option<String>,
    pub name: String,
}

impl Key {
    /// The service object that `token` refers to.
    ///
    /// **Invariant:** a `TokenService` is only looked up in the token's own namespace (S11).
    pub(crate) fn of(token: &ArtifactToken) -> Self {
        let reference = &token.spec.service_ref;
        let namespace = match reference.kind {
            ServiceKind::TokenService => Some(token.namespace().unwrap_or_default()),
            ServiceKind::ClusterTokenService => None,
        };
        Self { namespace, name: reference.name.clone() }
    }

    pub(crate) fn kind(&self) -> ServiceKind {
        if self.namespace.is_some() { ServiceKind::TokenService } else { ServiceKind::ClusterTokenService }
    }

    /// As logs name it, among the services of all namespaces.
    pub(crate) fn logged(&self) -> String {
        let namespace = self.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        format!("{:?} {namespace}{}", self.kind(), self.name)
    }
}

/// Kind and name, for people.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind(), self.name)
    }
}

/// A change that makes passes over tokens begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A check of this service object found something new.
    Service(Key),
    /// The labels of this namespace may have changed: it may have become allowed.
    Namespace(String),
    /// A sweep found a token of the object with this uid that its ledger does not know.
    Object(String),
    /// This process leads from now on: all tokens are its affair.
    Leading,
}

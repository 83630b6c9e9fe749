//! What all passes over the tokens of one scope share.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::runtime::reflector::Store;

use crate::api::artifact_token::ArtifactToken;
use crate::controller::objects::Index;
use crate::controller::shared::Shared;
use crate::controller::token::memories::Memories;
use crate::controller::token::offers::Offers;
use crate::controller::token::rereads::Rereads;
use crate::controller::token::secret_index::SecretIndex;
use crate::controller::watch::ListTimes;

/// What all passes over the tokens of one scope share: a namespace, or all.
pub(crate) struct Context {
    pub shared: Arc<Shared>,
    /// Names and versions of our Secrets. Empty where Secrets are not watched.
    pub secrets: SecretIndex,
    /// When Secrets are read, where they are not watched.
    pub rereads: Option<Rereads>,
    /// The Secrets with which people hand over tokens.
    pub offers: Offers,
    /// What this process knows of each object.
    pub memories: Memories,
    /// All objects.
    pub objects: Store<ArtifactToken>,
    /// Which of them have the same Secret or service.
    pub index: Arc<Index>,
    /// When the objects were last listed.
    pub listed: ListTimes,
}

impl Context {
    /// The API of the Secrets in a namespace.
    pub(crate) fn secrets_in(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.shared.client.clone(), namespace)
    }
}

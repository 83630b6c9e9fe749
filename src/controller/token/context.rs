//! What all passes over the tokens of one scope share.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::runtime::reflector::Store;

use crate::api::artifact_token::ArtifactToken;
use crate::controller::shared::Shared;
use crate::controller::token::memories::Memories;
use crate::controller::token::secret_index::SecretIndex;
use crate::controller::watch::ListTimes;

/// What all passes over the tokens of one scope share: a namespace, or all.
pub(crate) struct Context {
    pub shared: Arc<Shared>,
    /// Names and versions of our Secrets.
    pub secrets: SecretIndex,
    /// What this process knows of each object.
    pub memories: Memories,
    /// All objects, for the rule that no two may share a Secret.
    pub objects: Store<ArtifactToken>,
    /// When the objects were last listed.
    pub listed: ListTimes,
}

impl Context {
    /// The API of the Secrets in a namespace.
    pub(crate) fn secrets_in(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.shared.client.clone(), namespace)
    }

    /// An older object of this namespace that keeps the same Secret, if there is one.
    pub(crate) fn older_rival(&self, object: &ArtifactToken) -> Option<Arc<ArtifactToken>> {
        let meta = &object.metadata;
        let age = |meta: &kube::core::ObjectMeta| (meta.creation_timestamp.clone(), meta.uid.clone());
        self.objects.find(|other| {
            other.metadata.uid != meta.uid
                && other.metadata.namespace == meta.namespace
                && other.spec.secret.name == object.spec.secret.name
                && age(&other.metadata) < age(meta)
        })
    }
}

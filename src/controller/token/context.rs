//! What all passes over the tokens of one scope share.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::runtime::reflector::Store;

use crate::api::artifact_token::ArtifactToken;
use crate::api::time::Time;
use crate::controller::registry::Key;
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

    /// How many objects of all scopes hold a token of this service: its answers come from all of them, too.
    pub(crate) fn holders(&self, key: &Key) -> usize {
        let holds = |token: &ArtifactToken| {
            Key::of(token) == *key && token.status.as_ref().is_some_and(|status| status.ledger.current.is_some())
        };
        self.shared.caches.matching(holds).len()
    }

    /// How many objects of the same service hold a token that was claimed before `claimed`, which leaked.
    pub(crate) fn older_leaks(&self, object: &ArtifactToken, claimed: Time) -> u32 {
        let current =
            |token: &ArtifactToken| token.status.as_ref()?.ledger.current.as_ref().map(|current| current.claimed_time);
        let age = |token: &ArtifactToken| current(token).map(|time| (time, token.metadata.uid.clone()));
        let own = (claimed, object.metadata.uid.clone());
        let older =
            |other: &&Arc<ArtifactToken>| Key::of(other) == Key::of(object) && age(other).is_some_and(|age| age < own);
        u32::try_from(self.objects.state().iter().filter(older).count()).unwrap_or(u32::MAX)
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

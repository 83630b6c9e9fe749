//! What all passes share.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::reflector::Store;
use kube::{Api, Client};

use crate::api::artifact_token::ArtifactToken;
use crate::api::time::Time;
use crate::controller::admin::Metrics;
use crate::controller::clock::Clock;
use crate::controller::memory::Memories;
use crate::controller::secret_index::SecretIndex;
use crate::controller::services::Services;
use crate::rotation::desired::Timings;

/// The operator's own settings.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a fresh token may be unknown to its service.
    pub token_settle: Duration,
    /// What lies between each two deadlines of the protocol.
    pub margin: Duration,
    /// The first delay of every back-off.
    pub first_retry: Duration,
    /// The overlap where neither token nor service says one.
    pub default_overlap: Duration,
}

impl Settings {
    /// The protocol's times for a service whose *generate* may take so long.
    pub fn timings(&self, generate_timeout: Duration) -> Timings {
        Timings::derive(generate_timeout, self.token_settle, self.margin, self.first_retry)
    }
}

/// What all passes share.
pub struct Context {
    /// Requests to the API server; no retries of its own, and a time-out.
    pub client: Client,
    /// The API server's clock.
    pub clock: Clock,
    /// Settings.
    pub settings: Settings,
    /// The services as they were checked last.
    pub services: Services,
    /// Names and versions of our Secrets.
    pub secrets: SecretIndex,
    /// What this process knows of each object.
    pub memories: Memories,
    /// All objects, for the rule that two may not share a Secret.
    pub objects: Store<ArtifactToken>,
    /// Counters.
    pub metrics: Metrics,
}

impl Context {
    /// The objects of a namespace.
    pub fn tokens(&self, namespace: &str) -> Api<ArtifactToken> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The Secrets of a namespace.
    pub fn secrets_in(&self, namespace: &str) -> Api<k8s_openapi::api::core::v1::Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// How many objects of the same service hold a token that was claimed before `claimed`, which leaked.
    pub fn older_leaks(&self, object: &ArtifactToken, claimed: Time) -> u32 {
        let current =
            |token: &ArtifactToken| token.status.as_ref()?.ledger.current.as_ref().map(|current| current.claimed_time);
        let age = |token: &ArtifactToken| current(token).map(|time| (time, token.metadata.uid.clone()));
        let own = (claimed, object.metadata.uid.clone());
        let older = |other: &&Arc<ArtifactToken>| {
            other.spec.service_ref == object.spec.service_ref
                && other.metadata.namespace == object.metadata.namespace
                && age(other).is_some_and(|age| age < own)
        };
        u32::try_from(self.objects.state().iter().filter(older).count()).unwrap_or(u32::MAX)
    }

    /// Another object of this namespace that keeps the same Secret and is older, if there is one.
    pub fn older_rival(&self, object: &ArtifactToken) -> Option<Arc<ArtifactToken>> {
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
